//! Everything that echoes in memory, by name.

use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};
use tower_vitals::{
    MeteredWebSocket, Vitals, WebSockets,
    ws::{Heartbeat, Limits, Outbox},
};

use super::{
    echo::{ByMethods, ByOutbox, ByTraits, Echo, repeat, warm_up},
    wire::Wire,
};
use crate::Result;

/// Something to measure.
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// Makes a connection that echoes.
    make: fn() -> Work,
}

/// Echoes so many windows.
pub(super) type Work = Box<dyn FnMut(u32)>;

/// Windows that go before what is measured.
const WARM_UP: u32 = 64;

/// The socket that the others have in them.
pub(super) const RAW: &str = "tokio-tungstenite";

/// Ours as it comes, by the same traits.
pub(super) const OURS: &str = "tower-vitals";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: RAW,
        make: || work(ByTraits),
    },
    Entry {
        name: OURS,
        make: || work(|socket| ByTraits(metered(socket))),
    },
    Entry {
        name: "tower-vitals, its methods",
        make: || work(|socket| ByMethods(metered(socket))),
    },
    Entry {
        name: "tower-vitals, limits",
        make: || work(|socket| ByMethods(metered(socket).limits(Limits::new()))),
    },
    Entry {
        name: "tower-vitals, heartbeat",
        make: || work(|socket| ByMethods(metered(socket).limits(heartbeat()))),
    },
    Entry {
        name: "tower-vitals, outbox",
        make: || {
            work(|socket| {
                let (sender, socket) = metered(socket).outbox(Outbox::new());
                ByOutbox(sender, socket)
            })
        },
    },
    Entry {
        name: "tokio-tungstenite, reads into 16 KiB",
        make: || work_into(SMALL, ByTraits),
    },
    Entry {
        name: "tower-vitals, as MeteredUpgrade has it",
        make: || work_into(SMALL, |socket| ByMethods(metered(socket).limits(Limits::new()))),
    },
];

impl Entry {
    pub(super) fn work(&self) -> Work {
        (self.make)()
    }
}

/// The entry of that name.
pub(super) fn find(name: &str) -> Result<&'static Entry> {
    let mut entries = ENTRIES.iter();
    entries
        .find(|known| known.name == name)
        .ok_or_else(|| format!("no entry {name:?}").into())
}

/// With a socket as the library has it.
fn work<E: Echo + 'static>(make: impl FnOnce(WebSocketStream<Wire>) -> E) -> Work {
    work_into(WebSocketConfig::default().read_buffer_size, make)
}

/// With a socket that reads into so many bytes.
fn work_into<E: Echo + 'static>(read_buffer: usize, make: impl FnOnce(WebSocketStream<Wire>) -> E) -> Work {
    let runtime = runtime();
    let config = WebSocketConfig::default().read_buffer_size(read_buffer);
    let (wire, left) = Wire::new();
    let socket = runtime.block_on(WebSocketStream::from_raw_socket(wire, Role::Server, Some(config)));
    let mut echo = make(socket);
    {
        let _context = runtime.enter();
        left.set(WARM_UP);
        warm_up(&mut echo, WARM_UP);
    }
    Box::new(move |windows| {
        let _context = runtime.enter();
        left.set(windows);
        repeat(&mut echo, windows);
    })
}

/// What `MeteredUpgrade` has it read into.
const SMALL: usize = 16 * 1024;

/// Has timers, and nothing runs in it.
fn runtime() -> Runtime {
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without sockets starts")
}

fn metered(socket: WebSocketStream<Wire>) -> MeteredWebSocket<WebSocketStream<Wire>> {
    let sockets = WebSockets::of(&Vitals::new());
    sockets.endpoint("echo").meter(socket)
}

/// All that a clock is read for. None of it comes while anybody measures.
fn heartbeat() -> Limits {
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    Limits::new()
        .heartbeat(Heartbeat::every(hours(10)).timeout(hours(1)))
        .idle_timeout(hours(10))
        .max_lifetime(hours(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_comes_is_taken_and_sent_back() {
        for entry in ENTRIES {
            let mut work = entry.work();
            (1..4).for_each(&mut work);
        }
    }
}
