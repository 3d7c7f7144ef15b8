//! Outboxes of axum's WebSockets, over either version of HTTP.

use std::time::Duration;

use tests::until::until;
use tokio::net::TcpSocket;
use tower_vitals::ws::{CloseCode, Drain, Heartbeat, Limits, Outbox, Overflow, SendErrorKind, SortBy, WebSockets};

use super::{
    life::{code_of, ended},
    *,
};

/// Says again what it is told, by a task that has nothing of the socket.
async fn echo_by_outbox(socket: MeteredWebSocket<ws::WebSocket>) {
    let (sender, mut socket) = socket.outbox(Outbox::new());
    let (say, mut said) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(message) = said.recv().await {
            let _ = sender.send(message).await;
        }
    });
    while let Some(Ok(message)) = socket.recv().await {
        let is_data = matches!(message, ws::Message::Text(_) | ws::Message::Binary(_));
        if is_data && say.send(message).is_err() {
            break;
        }
    }
}

fn by_outbox(limits: Limits) -> axum::routing::MethodRouter {
    any(async move |upgrade: MeteredUpgrade| upgrade.limits(limits).on_upgrade(echo_by_outbox))
}

/// Talks, is kicked, idles, and is there when the server stops: each with a connection of its own.
async fn lives<S: AsyncRead + AsyncWrite + Unpin>(
    vitals: &Vitals,
    mut open: Vec<WebSocketStream<S>>,
    version: &str,
) -> Result<()> {
    let sockets = WebSockets::of(vitals);
    let mut idle = open.pop().ok_or("none")?;
    assert_eq!(code_of(&mut idle).await?.0, Some(1001));
    for socket in &mut open {
        for text in ["one", "and another"] {
            says(socket, text).await?;
        }
    }
    are_listed(&sockets, version);
    closes(open.pop().ok_or("none")?).await?;
    until(LIMIT, || sockets.connections(SortBy::Age, 10).len(), |open| *open == 2).await?;
    // The first was the first.
    let first = sockets.connections(SortBy::Age, 1)[0].id;
    assert!(sockets.kick(first, CloseCode::new(4321)?));
    assert_eq!(code_of(&mut open[0]).await?, (Some(4321), 0));
    let drain = Drain::new().code(CloseCode::SERVICE_RESTART).over(Duration::ZERO);
    let (drained, seen) = tokio::join!(sockets.drain(drain), code_of(&mut open[1]));
    assert_eq!((drained.left, seen?), (0, (Some(1012), 0)));
    let expected = [
        ("/idle local idle_timeout 1001", 1),
        ("/ws local kicked 4xxx", 1),
        ("/ws local shutdown 1012", 1),
        ("/ws remote close_frame none", 1),
    ];
    until_eq(LIMIT, owned(&expected), || ended(vitals)).await?;
    assert_eq!(
        of_endpoints(vitals, "websocket_queue_wait_seconds_count")["/ws"],
        3,
        "of one in 16 on each"
    );
    adds_up(vitals, "/ws", (8, 8))
}

/// Three have talked.
fn are_listed(sockets: &WebSockets, version: &str) {
    let listed = sockets.connections(SortBy::Attempted, 10);
    assert_eq!(listed.len(), 3);
    for one in &listed {
        let counts = (one.received_messages, one.attempted_messages, one.queued_messages);
        assert_eq!((one.endpoint.as_str(), counts), ("/ws", (2, 2, 0)));
        assert_eq!(one.http_version == http::Version::HTTP_2, version == "2");
    }
}

/// What was attempted was flushed, but for what is said of it.
fn adds_up(vitals: &Vitals, endpoint: &str, (attempted, flushed): (u64, u64)) -> Result<()> {
    let of = |name: &str| of_endpoints(vitals, name).get(endpoint).copied();
    assert_eq!(of("websocket_messages_attempted_total"), Some(attempted));
    assert_eq!(of("websocket_messages_flushed_total"), Some(flushed));
    for gauge in [
        "websocket_queue_depth",
        "websocket_queue_bytes",
        "websocket_buffered_messages",
        "websocket_buffered_bytes",
        "websocket_oldest_queued_seconds",
    ] {
        assert_eq!(of(gauge), Some(0), "{gauge}");
    }
    let dropped = family(vitals, "websocket_messages_dropped_total", &["endpoint", "reason"]);
    let of_endpoint = dropped.iter().filter(|(of, _)| of.starts_with(endpoint));
    assert_eq!(of_endpoint.map(|(_, count)| count).sum::<u64>(), attempted - flushed);
    Ok(())
}

fn app() -> Router {
    let idle = Limits::new()
        .heartbeat(Heartbeat::every(Duration::from_millis(100)).timeout(LIMIT))
        .idle_timeout(Duration::from_millis(300));
    Router::new()
        .route("/ws", by_outbox(Limits::new()))
        .route("/idle", by_outbox(idle))
}

#[tokio::test]
async fn a_connection_with_an_outbox_lives_and_ends_as_any() -> Result<()> {
    let vitals = Vitals::new();
    let addr = layered(&vitals, app()).await?;
    let mut open = Vec::new();
    for path in ["/ws", "/ws", "/ws", "/idle"] {
        open.push(connect(addr, path).await?);
    }
    lives(&vitals, open, "1.1").await
}

#[tokio::test]
async fn over_http2_as_well() -> Result<()> {
    let vitals = Vitals::new();
    let addr = layered(&vitals, app()).await?;
    let (mut open, mut clients) = (Vec::new(), Vec::new());
    for path in ["/ws", "/ws", "/ws", "/idle"] {
        let (client, exchange) = ask_http2_at(addr, path, Method::CONNECT, Some("websocket"), "13").await?;
        let io = exchange.upgrade().await?;
        open.push(WebSocketStream::from_raw_socket(io, Role::Client, None).await);
        clients.push(client);
    }
    lives(&vitals, open, "2").await
}

/// A client that takes little at a time.
async fn connect_small(addr: SocketAddr) -> Result<WebSocketStream<TcpStream>> {
    let client = TcpSocket::new_v4()?;
    client.set_recv_buffer_size(4096)?;
    Ok(client_async(format!("ws://{addr}/ws"), client.connect(addr).await?).await?.0)
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_why_it_was_closed() -> Result<()> {
    let (closed, mut is_closed) = mpsc::channel(1);
    let floods = async move |upgrade: MeteredUpgrade| {
        upgrade.on_upgrade(async move |socket| {
            let overflow = Overflow::DisconnectSlow {
                code: CloseCode::TRY_AGAIN_LATER,
                grace: Duration::from_millis(100),
            };
            let (sender, socket) = socket.outbox(Outbox::new().max_messages(8).overflow(overflow));
            let (full, flood) = (sender.clone(), sender);
            tokio::spawn(async move {
                let message = ws::Message::Binary(vec![0; 32 * 1024].into());
                loop {
                    match flood.send(message.clone()).await.map_err(|error| error.kind()) {
                        Err(SendErrorKind::Closed) => break,
                        _ => tokio::task::yield_now().await,
                    }
                }
            });
            let _ = tokio::join!(socket.drive(), async {
                full.closed().await;
                let _ = closed.send(()).await;
            });
        })
    };
    let vitals = Vitals::new();
    let addr = layered(&vitals, Router::new().route("/ws", any(floods))).await?;
    let mut slow = connect_small(addr).await?;
    timeout(LIMIT, is_closed.recv()).await?.ok_or("it ended")?;
    // Who reads at last, in time, hears why.
    let (code, before) = code_of(&mut slow).await?;
    assert_eq!(code, Some(1013));
    until_eq(LIMIT, owned(&[("/ws local slow_consumer 1013", 1)]), || ended(&vitals)).await?;
    let flushed = of_endpoints(&vitals, "websocket_messages_flushed_total")["/ws"];
    // With the closing message.
    assert_eq!(flushed, before as u64 + 1);
    let attempted = of_endpoints(&vitals, "websocket_messages_attempted_total")["/ws"];
    adds_up(&vitals, "/ws", (attempted, flushed))
}
