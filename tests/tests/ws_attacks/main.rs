//! What hostile clients send to a server of WebSockets, byte for byte over real TCP: each connection ends for the right cause, and nobody
//! makes labels.

mod frames;
mod handshakes;
#[path = "../http_common/mod.rs"]
mod http_common;
#[allow(dead_code, reason = "each test target uses a part")]
mod wire;

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::any};
use http_common::{LIMIT, Numbers, family, owned};
use tests::{
    Result,
    raw::RawConn,
    until::{until, until_eq},
};
use tower_vitals::{MeteredUpgrade, Vitals, encode::Protocol};
use wire::{BINARY, CLOSE, CONTINUES, ENDS, HANDSHAKE, TEXT, TEXT_BEGINS, echo, echo_on, frame, header, open, serve};

/// The same numbers each time, which follow no order.
struct Random(u64);

impl Random {
    /// One below this.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    /// Now and then one of the rare ones.
    fn mostly<'a, T: ?Sized>(&mut self, usual: &'a T, rare: &[&'a T]) -> &'a T {
        if self.below(12) == 0 { self.of(rare) } else { usual }
    }
}

/// Connections that ended, without the endpoint.
fn closed(vitals: &Vitals) -> Numbers {
    let labels = ["endpoint", "initiator", "cause", "code"];
    let closed = family(vitals, "websocket_connections_closed_total", &labels);
    let of_one = |(labels, count): (String, u64)| (labels.strip_prefix("/ws ").expect("it is the only one").to_owned(), count);
    closed.into_iter().map(of_one).collect()
}

/// The server works as before.
async fn is_well(addr: SocketAddr) -> Result<()> {
    let mut conn = open(addr).await?;
    conn.write(&frame(TEXT, b"hello")).await?;
    assert_eq!(conn.read(7).await?, b"\x81\x05hello");
    conn.write(&frame(CLOSE, b"\x03\xe8")).await?;
    assert_eq!(conn.read_all(LIMIT).await?, b"\x88\x02\x03\xe8");
    Ok(())
}
