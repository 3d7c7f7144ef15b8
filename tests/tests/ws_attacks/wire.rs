//! Bytes that a hostile client sends, and a server that echoes.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::ws::{Message, WebSocket},
    response::Response,
};
use tests::{Result, raw::RawConn};
use tokio::net::TcpListener;
use tower_vitals::{MeteredUpgrade, Vitals, WebSocketLayer, ws::MeteredWebSocket};

pub(crate) const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// First bytes of frames that are the last of their message, but for the first two.
pub(crate) const TEXT_BEGINS: u8 = 0x01;
pub(crate) const CONTINUES: u8 = 0x00;
pub(crate) const ENDS: u8 = 0x80;
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;

pub(crate) async fn echo(upgrade: MeteredUpgrade) -> Response {
    upgrade.on_upgrade(echo_on)
}

pub(crate) async fn echo_on(mut socket: MeteredWebSocket<WebSocket>) {
    while let Some(Ok(message)) = socket.recv().await {
        let is_data = matches!(message, Message::Text(_) | Message::Binary(_));
        if is_data && socket.send(message).await.is_err() {
            break;
        }
    }
}

/// Serves by axum's own server until the test's runtime ends.
pub(crate) async fn serve(vitals: &Vitals, router: Router) -> Result<SocketAddr> {
    let router = router.layer(WebSocketLayer::new(vitals));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(addr)
}

/// A connection after its handshake.
pub(crate) async fn open(addr: SocketAddr) -> Result<RawConn> {
    let mut conn = RawConn::connect(addr).await?;
    conn.write(HANDSHAKE.as_bytes()).await?;
    conn.read_until(b"\r\n\r\n").await?;
    Ok(conn)
}

/// A frame of a client, masked with zeros.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len() as u64);
    frame.extend_from_slice(payload);
    frame
}

/// What announces a payload of this size.
pub(crate) fn header(first: u8, size: u64) -> Vec<u8> {
    let mut header = vec![first];
    match (u8::try_from(size), u16::try_from(size)) {
        (Ok(size @ ..126), _) => header.push(0x80 | size),
        (_, Ok(size)) => {
            header.push(0x80 | 126);
            header.extend_from_slice(&size.to_be_bytes());
        }
        _ => {
            header.push(0x80 | 127);
            header.extend_from_slice(&size.to_be_bytes());
        }
    }
    header.extend_from_slice(&[0; 4]);
    header
}
