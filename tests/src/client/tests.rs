use std::convert::Infallible;
use std::io::ErrorKind;

use http::{Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::body::{Gate, Probe, ScriptedBody};
use crate::raw::{RawConn, raw};
use crate::server::Server;

const LIMIT: Duration = Duration::from_secs(5);

/// Answers with a frame, then waits forever.
async fn endless() -> (Server, Probe) {
    let script = || ScriptedBody::new().data("first").wait(&Gate::new());
    let slot = Arc::new(std::sync::Mutex::new(None));
    let body = script();
    let probe = body.probe();
    *slot.lock().unwrap() = Some(body);
    let server = Server::start_fn(move |_| {
        let body = slot.lock().unwrap().take().unwrap_or_default();
        async move { Response::new(body) }
    });
    (server.await.unwrap(), probe)
}

/// Sends back the request's body and trailers.
async fn echo() -> Server {
    let server = Server::start_fn(async |request: Request<Incoming>| {
        let mut response = Response::new(request.into_body());
        let trailer = HeaderValue::from_static("x-sum");
        response.headers_mut().insert("trailer", trailer);
        response
    });
    server.await.unwrap()
}

fn upload() -> Request<ScriptedBody> {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("7"));
    let body = ScriptedBody::new().data("abc").data("de");
    let request = Request::post("/echo").header("te", "trailers");
    let request = request.header("trailer", "x-sum");
    request.body(body.trailers(trailers)).unwrap()
}

#[tokio::test]
async fn both_versions_carry_bodies_and_trailers() {
    let server = echo().await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut client = match version {
            Version::HTTP_11 => Client::http1(server.addr()).await.unwrap(),
            _ => Client::http2(server.addr()).await.unwrap(),
        };
        for _ in 0..2 {
            let answer = client.send(upload()).await.unwrap();
            assert_eq!(answer.head.version, version);
            assert_eq!(answer.text().unwrap(), "abcde");
            assert_eq!(answer.trailers.unwrap()["x-sum"], "7");
        }
    }
}

/// The four ways to go; each must make the server drop its body.
#[derive(Clone, Copy, Debug)]
enum Way {
    Cancel,
    Vanish,
    Reset,
    Drop,
}

async fn go(way: Way, client: Client, exchange: Exchange) {
    match way {
        Way::Cancel => {
            exchange.cancel();
            // The connection may stay: only the stream must go.
            tokio::spawn(async move {
                let _held = client;
                std::future::pending::<()>().await;
            });
        }
        Way::Vanish => exchange.vanish().await,
        Way::Reset => exchange.reset().await.unwrap(),
        Way::Drop => drop((client, exchange)),
    }
}

#[tokio::test]
async fn a_client_that_goes_in_mid_stream_is_noticed() {
    for way in [Way::Cancel, Way::Vanish, Way::Reset, Way::Drop] {
        for http2 in [false, true] {
            let (server, probe) = endless().await;
            let mut client = match http2 {
                false => Client::http1(server.addr()).await.unwrap(),
                true => Client::http2(server.addr()).await.unwrap(),
            };
            let mut exchange = client.start(get("/")).await.unwrap();
            let head = exchange.head().await.unwrap();
            assert_eq!(head.status(), StatusCode::OK);
            let frame = exchange.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), "first");
            assert!(!probe.is_dropped());
            go(way, client, exchange).await;
            let gone = until_eq(LIMIT, true, || probe.is_dropped()).await;
            gone.unwrap_or_else(|error| panic!("{way:?}, http2 {http2}: {error}"));
        }
    }
}

/// What the peer's socket says, once the client's bytes are read.
async fn end_of(mut peer: tokio::net::TcpStream) -> std::io::Result<usize> {
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).await
}

#[tokio::test]
async fn the_socket_closes_though_the_client_is_still_held() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    for http2 in [false, true] {
        for reset in [false, true] {
            let mut client = match http2 {
                false => Client::http1(addr).await.unwrap(),
                true => Client::http2(addr).await.unwrap(),
            };
            let (mut peer, _) = listener.accept().await.unwrap();
            let exchange = client.start(get("/")).await.unwrap();
            // A reset discards what the peer has not read yet.
            peer.read_u8().await.unwrap();
            match reset {
                false => exchange.vanish().await,
                true => exchange.reset().await.unwrap(),
            }
            let end = timeout(LIMIT, end_of(peer)).await.unwrap();
            let reset_seen = end.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset);
            assert_eq!(reset_seen, reset, "http2 {http2}");
            assert!(client.start(get("/")).await.is_err());
        }
    }
}

#[tokio::test]
async fn a_cancelled_stream_leaves_an_http2_connection_usable() {
    let (server, probe) = endless().await;
    let mut client = Client::http2(server.addr()).await.unwrap();
    let mut exchange = client.start(get("/")).await.unwrap();
    exchange.frame().await.unwrap();
    exchange.cancel();
    until_eq(LIMIT, true, || probe.is_dropped()).await.unwrap();
    assert_eq!(client.send(get("/")).await.unwrap().body, "");
}

#[tokio::test]
async fn a_client_can_go_before_the_head() {
    for http2 in [false, true] {
        // The body stands for whatever a handler holds while it works.
        let held = ScriptedBody::new();
        let probe = held.probe();
        let arrived = Gate::new();
        let slot = Arc::new(std::sync::Mutex::new(Some((held, arrived.clone()))));
        let server = Server::start_fn(move |_| {
            let taken = slot.lock().unwrap().take();
            async move {
                let (body, arrived) = taken.unwrap();
                arrived.open();
                Gate::new().opened().await;
                Response::new(body)
            }
        });
        let server = server.await.unwrap();
        let mut client = match http2 {
            false => Client::http1(server.addr()).await.unwrap(),
            true => Client::http2(server.addr()).await.unwrap(),
        };
        let exchange = client.start(get("/")).await.unwrap();
        arrived.opened().await;
        exchange.vanish().await;
        until_eq(LIMIT, true, || probe.is_dropped()).await.unwrap();
    }
}

#[tokio::test]
async fn raw_bytes_are_verbatim() {
    let answer = || async { Response::new(http_body_util::Full::<Bytes>::from("hello")) };
    let server = Server::start_fn(move |_| answer()).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let bytes = raw(server.addr(), request, LIMIT).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("content-length: 5\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nhello"), "{text}");
}

#[tokio::test]
async fn a_raw_connection_reads_in_parts_and_resets() {
    let (server, probe) = endless().await;
    let mut conn = RawConn::connect(server.addr()).await.unwrap();
    conn.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let head = conn.read_until(b"\r\n\r\n").await.unwrap();
    assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert_eq!(conn.read(10).await.unwrap(), b"5\r\nfirst\r\n");
    let idle = Duration::from_millis(20);
    assert_eq!(conn.read_all(idle).await.unwrap(), b"");
    conn.reset().unwrap();
    until_eq(LIMIT, true, || probe.is_dropped()).await.unwrap();
}

/// Upgrades, and sends back one line that it reads.
async fn upgrading() -> Server {
    let server = Server::start_fn(async |mut request: Request<Incoming>| {
        let mut response = Response::new(Empty::<Bytes>::new());
        if request.version() == Version::HTTP_11 {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let echo = HeaderValue::from_static("echo");
            response.headers_mut().insert("upgrade", echo.clone());
            let upgrade = HeaderValue::from_static("upgrade");
            response.headers_mut().insert("connection", upgrade);
        }
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = TokioIo::new(upgrade.await.unwrap());
            let mut line = [0; 5];
            io.read_exact(&mut line).await.unwrap();
            io.write_all(&line).await.unwrap();
            io.shutdown().await.unwrap();
        });
        response
    });
    server.await.unwrap()
}

async fn talk(exchange: Exchange) -> Result<String, Infallible> {
    let mut io = exchange.upgrade().await.unwrap();
    io.write_all(b"hello").await.unwrap();
    let mut line = String::new();
    io.read_to_string(&mut line).await.unwrap();
    Ok(line)
}

#[tokio::test]
async fn both_versions_upgrade() {
    let server = upgrading().await;
    let mut http1 = Client::http1(server.addr()).await.unwrap();
    let mut request = get("/");
    let headers = request.headers_mut();
    headers.insert("connection", HeaderValue::from_static("upgrade"));
    headers.insert("upgrade", HeaderValue::from_static("echo"));
    let exchange = http1.start(request).await.unwrap();
    assert_eq!(talk(exchange).await.unwrap(), "hello");

    let mut http2 = Client::http2(server.addr()).await.unwrap();
    let mut request = get("/");
    *request.method_mut() = http::Method::CONNECT;
    let protocol = hyper::ext::Protocol::from_static("echo");
    request.extensions_mut().insert(protocol);
    let exchange = http2.start(request).await.unwrap();
    assert_eq!(talk(exchange).await.unwrap(), "hello");
}
