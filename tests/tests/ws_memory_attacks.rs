//! What hostile clients can make a server keep, and for how long. One test by itself, because the memory is that of the whole process.
#![cfg(target_os = "linux")]

mod http_common;
#[allow(dead_code, reason = "each test target uses a part")]
#[path = "ws_attacks/wire.rs"]
mod wire;

use std::{fs, net::SocketAddr, time::Duration};

use axum::{Router, routing::any};
use http_common::{LIMIT, family, owned};
use tests::{Result, raw::RawConn, until::until_eq};
use tokio::time::timeout;
use tower_vitals::Vitals;
use wire::{BINARY, CONTINUES, ENDS, HANDSHAKE, TEXT, TEXT_BEGINS, echo, frame, header, open, serve};

const MIB: usize = 1 << 20;

/// How long an attack may take.
const MOST: Duration = Duration::from_secs(60);

/// The most memory that this process had in use since [`forget`], or that it has, in bytes.
fn memory(what: &str) -> Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no such line")?;
    Ok(kib.parse::<usize>()? * 1024)
}

/// Has the kernel forget the most there was.
fn forget() -> Result<()> {
    Ok(fs::write("/proc/self/clear_refs", "5")?)
}

/// Runs an attack, which may take no more memory than this at any time.
async fn takes<F: Future<Output = Result<()>>>(what: &str, most: usize, attack: F) -> Result<()> {
    forget()?;
    let before = memory("VmRSS:")?;
    timeout(MOST, attack).await??;
    let grown = memory("VmHWM:")?.saturating_sub(before);
    println!("{what} took {grown} bytes of memory");
    assert!(grown < most, "{what} took {grown} bytes of memory, more than {most}");
    Ok(())
}

/// In one write, while nobody reads; then all is echoed.
async fn tiny_messages(addr: SocketAddr, vitals: &Vitals, many: &[u8], count: usize) -> Result<()> {
    let mut conn = open(addr).await?;
    conn.write(many).await?;
    for _ in 0..count / 1_000 {
        assert_eq!(conn.read(3_000).await?, b"\x81\x01x".repeat(1_000));
    }
    let expected = count as u64;
    for name in ["attempted", "flushed"] {
        for unit in ["messages", "bytes"] {
            let sent = || family(vitals, &format!("websocket_{unit}_{name}_total"), &["endpoint"]);
            until_eq(LIMIT, owned(&[("/ws", expected)]), sent).await?;
        }
    }
    for unit in ["messages", "bytes"] {
        let received = family(vitals, &format!("websocket_{unit}_received_total"), &["endpoint", "kind"]);
        assert_eq!(received["/ws text"], expected, "{unit}");
        assert_eq!(received.values().sum::<u64>(), expected, "{unit}");
    }
    Ok(())
}

/// The server lets go of each.
async fn impossible_frames(addr: SocketAddr, vitals: &Vitals, count: u64) -> Result<()> {
    let mut conns = Vec::new();
    for _ in 0..count {
        let mut conn = open(addr).await?;
        conn.write(&header(BINARY, 4 << 30)).await?;
        conns.push(conn);
    }
    for mut conn in conns {
        while conn.write(b"x").await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
    let closed = || {
        family(
            vitals,
            "websocket_connections_closed_total",
            &["endpoint", "initiator", "cause", "code"],
        )
    };
    until_eq(LIMIT, owned(&[("/ws remote too_large none", count)]), closed).await
}

/// Each is as large as allowed, and a little of it comes.
async fn frames_to_come(addr: SocketAddr, vitals: &Vitals, count: usize) -> Result<()> {
    let mut conns = Vec::new();
    for _ in 0..count {
        let mut conn = open(addr).await?;
        conn.write(&header(BINARY, 16 << 20)).await?;
        conns.push(conn);
    }
    for _ in 0..100 {
        for conn in &mut conns {
            conn.write(b"0123456789").await?;
        }
    }
    // Until the server has seen all of it: what follows is the end.
    for conn in &mut conns {
        conn.finish_writing().await?;
    }
    for mut conn in conns {
        assert_eq!(conn.read_all(LIMIT).await?, b"");
    }
    let open = || family(vitals, "websocket_connections", &["endpoint", "http_version"]);
    until_eq(LIMIT, owned(&[("/ws 1.1", 0)]), open).await
}

/// Parts of a message that say nothing, and then its end.
async fn empty_parts(addr: SocketAddr, vitals: &Vitals, count: usize) -> Result<()> {
    let mut conn = open(addr).await?;
    conn.write(&frame(TEXT_BEGINS, b"x")).await?;
    let parts = frame(CONTINUES, b"").repeat(1_000);
    for _ in 0..count / 1_000 {
        conn.write(&parts).await?;
    }
    conn.write(&frame(ENDS, b"y")).await?;
    let mut echoed = [0x81, 2].to_vec();
    echoed.extend_from_slice(b"xy");
    assert_eq!(conn.read(4).await?, echoed);
    let received = family(vitals, "websocket_messages_received_total", &["endpoint", "kind"]);
    assert_eq!(received.values().sum::<u64>(), 1);
    Ok(())
}

/// Handshakes for as many paths.
async fn paths(addr: SocketAddr, vitals: &Vitals, count: usize) -> Result<()> {
    let mut conn = RawConn::connect(addr).await?;
    for n in 0..count {
        let request = HANDSHAKE.replacen("/ws", &format!("/stranger/{n}"), 1);
        conn.write(request.as_bytes()).await?;
        conn.read_until(b"\r\n\r\n").await?;
    }
    let handshakes = || family(vitals, "websocket_handshakes_total", &["endpoint", "outcome"]);
    until_eq(LIMIT, owned(&[("_unmatched denied", count as u64)]), handshakes).await
}

async fn server() -> Result<(Vitals, SocketAddr)> {
    let vitals = Vitals::new();
    let addr = serve(&vitals, Router::new().route("/ws", any(echo))).await?;
    Ok((vitals, addr))
}

#[tokio::test]
async fn what_clients_send_makes_nobody_keep_much() -> Result<()> {
    const MESSAGES: usize = 100_000;
    let many = frame(TEXT, b"x").repeat(MESSAGES);
    let (vitals, addr) = server().await?;
    let attack = tiny_messages(addr, &vitals, &many, MESSAGES);
    takes("a burst of 100,000 messages", 4 * MIB, attack).await?;
    drop(many);
    let (vitals, addr) = server().await?;
    let attack = impossible_frames(addr, &vitals, 100);
    takes("100 frames of 4 GB", 8 * MIB, attack).await?;
    let (vitals, addr) = server().await?;
    let attack = frames_to_come(addr, &vitals, 100);
    takes("100 frames of 16 MiB that trickle in", 16 * MIB, attack).await?;
    let (vitals, addr) = server().await?;
    let attack = empty_parts(addr, &vitals, 1_000_000);
    takes("a message of 1,000,000 empty parts", 4 * MIB, attack).await?;
    let (vitals, addr) = server().await?;
    let attack = paths(addr, &vitals, 10_000);
    takes("handshakes for 10,000 paths", 4 * MIB, attack).await
}
