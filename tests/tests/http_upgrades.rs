//! Requests that turn into something else: counted when they do, and their
//! time, which is that of a conversation, stays out of the histogram.

mod http_common;

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use http::{Method, Request};
use http_body_util::Empty;
use http_common::{LIMIT, Seen, undated, undated_head};
use tests::Result;
use tests::client::Client;
use tests::raw::RawConn;
use tests::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_vitals::{MetricsLayer, Vitals};

/// `hi` from a client, masked with zeros; and what the server sends back.
const HI: [u8; 8] = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
const HI_BACK: [u8; 4] = [0x81, 0x02, b'h', b'i'];

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn app() -> Router {
    Router::new().route("/ws", any(echo))
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket: WebSocket| {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    })
}

async fn bare_and_layered(vitals: &Vitals) -> Result<[Server; 2]> {
    let layered = app().layer(MetricsLayer::new(vitals));
    Ok([Server::start(app()).await?, Server::start(layered).await?])
}

#[tokio::test]
async fn a_websocket_over_http1() -> Result<()> {
    let vitals = Vitals::new();
    let [bare, layered] = bare_and_layered(&vitals).await?;
    let mut heads = Vec::new();
    for server in [&bare, &layered] {
        let mut conn = RawConn::connect(server.addr()).await?;
        conn.write(HANDSHAKE.as_bytes()).await?;
        heads.push(undated(&conn.read_until(b"\r\n\r\n").await?));
        conn.write(&HI).await?;
        assert_eq!(conn.read(HI_BACK.len()).await?, HI_BACK);
        if server.addr() == layered.addr() {
            // The socket is open, the request is over.
            let completed = Seen::ended(&[("GET /ws 101 none completed", 1)], &[]);
            completed.settles(&vitals).await?;
            conn.reset()?;
            completed.settles(&vitals).await?;
        }
    }
    assert!(heads[0].starts_with("HTTP/1.1 101 "), "{}", heads[0]);
    assert_eq!(heads[0], heads[1]);
    Ok(())
}

#[tokio::test]
async fn a_websocket_over_http2() -> Result<()> {
    let vitals = Vitals::new();
    let [bare, layered] = bare_and_layered(&vitals).await?;
    let mut heads = Vec::new();
    for server in [&bare, &layered] {
        let mut client = Client::http2(server.addr()).await?;
        let request = Request::builder().method(Method::CONNECT).uri("/ws");
        let mut request = request.header("sec-websocket-version", "13").body(Empty::new())?;
        let protocol = hyper::ext::Protocol::from_static("websocket");
        request.extensions_mut().insert(protocol);
        let mut exchange = client.start(request).await?;
        let head = exchange.head().await?;
        heads.push(undated_head(head.status(), head.headers()));
        let mut io = exchange.upgrade().await?;
        io.write_all(&HI).await?;
        let mut back = [0; HI_BACK.len()];
        tokio::time::timeout(LIMIT, io.read_exact(&mut back)).await??;
        assert_eq!(back, HI_BACK);
        if server.addr() == layered.addr() {
            let completed = Seen::ended(&[("CONNECT /ws 200 none completed", 1)], &[]);
            completed.settles(&vitals).await?;
            client.vanish().await;
            completed.settles(&vitals).await?;
        }
    }
    assert!(heads[0].starts_with("200 "), "{}", heads[0]);
    assert_eq!(heads[0], heads[1]);
    Ok(())
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_request() -> Result<()> {
    let vitals = Vitals::new();
    let [bare, layered] = bare_and_layered(&vitals).await?;
    let request = HANDSHAKE.replace("version: 13", "version: 12");
    let mut answers = Vec::new();
    for server in [&bare, &layered] {
        let mut conn = RawConn::connect(server.addr()).await?;
        conn.write(request.as_bytes()).await?;
        conn.finish_writing().await?;
        answers.push(undated(&conn.read_all(LIMIT).await?));
    }
    assert_eq!(answers[0], answers[1]);
    Seen::ended(&[("GET /ws 400 none completed", 1)], &[("GET /ws 4xx", 1)])
        .settles(&vitals)
        .await
}
