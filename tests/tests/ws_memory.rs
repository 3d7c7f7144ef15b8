//! What a hostile client can make a server keep. By itself, because the memory is that of the whole process.
#![cfg(target_os = "linux")]

use std::{fs, net::SocketAddr, time::Duration};

use axum::{Router, extract::ws::WebSocket, response::Response, routing::any};
use tests::{Result, raw::RawConn, until::until};
use tokio::{net::TcpListener, time::timeout};
use tower_vitals::{
    MeteredUpgrade, Vitals, WebSocketLayer,
    encode::Protocol,
    ws::{Limits, MeteredWebSocket},
};

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A ping as large as they may be, masked with zeros.
const PING: [u8; 6 + 125] = {
    let mut ping = [b'x'; 6 + 125];
    (ping[0], ping[1]) = (0x89, 0x80 | 125);
    (ping[2], ping[3], ping[4], ping[5]) = (0, 0, 0, 0);
    ping
};

const PINGS: usize = 1_000_000;

/// What may wait to be sent, a little for the rest, and what the allocator keeps of buffers that grew.
const MOST: usize = 8 << 20;

async fn listen(upgrade: MeteredUpgrade) -> Response {
    // They would end the connection otherwise.
    let limits = Limits::new().max_pings_per_second(u32::MAX);
    upgrade
        .limits(limits)
        .on_upgrade(async |mut socket: MeteredWebSocket<WebSocket>| while let Some(Ok(_)) = socket.recv().await {})
}

async fn serve(vitals: &Vitals) -> Result<SocketAddr> {
    let router = Router::new().route("/ws", any(listen)).layer(WebSocketLayer::new(vitals));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(addr)
}

/// The memory that this process has in use, in bytes.
fn resident() -> Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no such line")?;
    Ok(kib.parse::<usize>()? * 1024)
}

fn pings(vitals: &Vitals) -> usize {
    let text = vitals.encode_to_string(Protocol::TEXT);
    let series = "websocket_messages_received_total{endpoint=\"/ws\",kind=\"ping\"} ";
    let value = text.lines().find_map(|line| line.strip_prefix(series));
    value.and_then(|value| value.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_client_that_pings_and_never_reads_makes_nobody_keep_its_pongs() -> Result<()> {
    let vitals = Vitals::new();
    let mut conn = RawConn::connect(serve(&vitals).await?).await?;
    conn.write(HANDSHAKE.as_bytes()).await?;
    conn.read_until(b"\r\n\r\n").await?;
    let many = PING.repeat(1_000);
    let before = resident()?;
    for _ in 0..PINGS / 1_000 {
        timeout(Duration::from_secs(10), conn.write(&many)).await??;
    }
    let most = Duration::from_secs(60);
    until(most, || pings(&vitals), |seen| *seen == PINGS).await?;
    let grown = resident()?.saturating_sub(before);
    println!("{PINGS} pings took {grown} bytes of memory");
    assert!(grown < MOST, "{PINGS} pings took {grown} bytes of memory");
    Ok(())
}
