//! WebSockets of axum's own server over real TCP: what comes of handshakes, and whose numbers those of the connection are.

mod established;
#[path = "../http_common/mod.rs"]
mod http_common;
mod life;
mod limits;
mod outbox;
mod outcomes;
mod unsent;

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{FromRequestParts, ws},
    middleware,
    response::{IntoResponse, Response},
    routing::any,
};
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, StatusCode, request::Parts};
use http_body_util::Empty;
use http_common::{LIMIT, Numbers, Seen, family, owned, undated, undated_head};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tests::{
    Result,
    client::Client,
    exchange::Exchange,
    raw::{RawConn, raw},
    until::until_eq,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, protocol::Role},
};
use tower_vitals::{MeteredUpgrade, MetricsLayer, Vitals, WebSocketLayer, ws::MeteredWebSocket};

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

async fn echo(upgrade: MeteredUpgrade) -> Response {
    upgrade.on_upgrade(echo_on)
}

async fn echo_on(mut socket: MeteredWebSocket<ws::WebSocket>) {
    while let Some(Ok(message)) = socket.recv().await {
        let is_data = matches!(message, ws::Message::Text(_) | ws::Message::Binary(_));
        if is_data && socket.send(message).await.is_err() {
            break;
        }
    }
}

/// The same without us.
async fn bare_echo(upgrade: ws::WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket: ws::WebSocket| {
        while let Some(Ok(message)) = socket.recv().await {
            let is_data = matches!(message, ws::Message::Text(_) | ws::Message::Binary(_));
            if is_data && socket.send(message).await.is_err() {
                break;
            }
        }
    })
}

/// Serves by axum's own server until the test's runtime ends.
async fn serve(router: Router) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(addr)
}

async fn layered(vitals: &Vitals, router: Router) -> Result<SocketAddr> {
    serve(router.layer(WebSocketLayer::new(vitals))).await
}

async fn connect(addr: SocketAddr, path: &str) -> Result<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await?;
    let (socket, response) = client_async(format!("ws://{addr}{path}"), stream).await?;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    Ok(socket)
}

/// Asks for a WebSocket over HTTP/2, with its protocol where it is to have one.
async fn ask_http2(
    addr: SocketAddr,
    method: Method,
    protocol: Option<&'static str>,
    version: &str,
) -> Result<(Client, Exchange)> {
    ask_http2_at(addr, "/ws", method, protocol, version).await
}

async fn ask_http2_at(
    addr: SocketAddr,
    path: &str,
    method: Method,
    protocol: Option<&'static str>,
    version: &str,
) -> Result<(Client, Exchange)> {
    let mut client = Client::http2(addr).await?;
    let request = Request::builder().method(method).uri(path);
    let mut request = request.header("sec-websocket-version", version).body(Empty::new())?;
    if let Some(protocol) = protocol {
        request.extensions_mut().insert(hyper::ext::Protocol::from_static(protocol));
    }
    let exchange = client.start(request).await?;
    Ok((client, exchange))
}

/// Sends a text, and gets it back.
async fn says<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, text: &str) -> Result<()> {
    socket.send(Message::text(text)).await?;
    let back = timeout(LIMIT, socket.next()).await?.ok_or("it ended")??;
    assert_eq!(back, Message::text(text));
    Ok(())
}

/// Closes, and sees the other side agree.
async fn closes<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) -> Result<()> {
    socket.close(None).await?;
    let reply = timeout(LIMIT, socket.next()).await?.ok_or("no reply")??;
    assert!(reply.is_close(), "{reply:?}");
    Ok(())
}

async fn status_of(addr: SocketAddr, request: &str) -> Result<String> {
    let mut conn = RawConn::connect(addr).await?;
    conn.write(request.as_bytes()).await?;
    let head = conn.read_until(b"\r\n\r\n").await?;
    let head = String::from_utf8(head)?;
    Ok(head.split(' ').nth(1).ok_or("no status")?.to_owned())
}

fn handshakes(vitals: &Vitals) -> Numbers {
    family(vitals, "websocket_handshakes_total", &["endpoint", "outcome"])
}

/// Waits until these are all handshakes that were counted, and sees them twice.
async fn handshakes_are(vitals: &Vitals, expected: &[(&str, u64)]) -> Result<()> {
    until_eq(LIMIT, owned(expected), || handshakes(vitals)).await?;
    tokio::task::yield_now().await;
    assert_eq!(handshakes(vitals), owned(expected));
    Ok(())
}

/// Open connections by endpoint and version, where there are any.
fn connections(vitals: &Vitals) -> Numbers {
    let mut open = family(vitals, "websocket_connections", &["endpoint", "http_version"]);
    open.retain(|_, count| *count > 0);
    open
}

fn of_endpoints(vitals: &Vitals, name: &str) -> Numbers {
    family(vitals, name, &["endpoint"])
}
