//! The lines of PromQL that the READMEs have for WebSockets.

use std::{future::pending, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::ws::{Message, WebSocket},
    routing::any,
};
use libtest_mimic::Failed;
use tests::{
    Result,
    exposition::Labels,
    prometheus::{Prometheus, Target},
    promql::{PromQl, Sample},
    raw::RawConn,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::client_async;
use tower_vitals::{
    Clock, ManualClock, MeteredUpgrade, MetricsRoute, Vitals, WebSocketLayer,
    ws::{MeteredWebSocket, Outbox, Overflow},
};

/// How long Prometheus may take until it has scraped the last numbers.
const SCRAPED: Duration = Duration::from_secs(20);

const READMES: [&str; 2] = [
    include_str!("../../../README.md"),
    include_str!("../../../crates/tower-vitals-ws/README.md"),
];

/// Says that it is there, and never looks at the socket again. What is sent then finds no room.
async fn stuck(socket: MeteredWebSocket<WebSocket>) {
    let settings = Outbox::new().max_messages(1).overflow(Overflow::DropNewest);
    let (sender, mut socket) = socket.outbox(settings);
    socket.recv().await;
    loop {
        let _ = sender.send(Message::text("hello")).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn app(vitals: &Vitals) -> Router {
    let stays = async |_socket| pending().await;
    Router::new()
        .route("/stuck", any(async |upgrade: MeteredUpgrade| upgrade.on_upgrade(stuck)))
        .route(
            "/left",
            any(async |upgrade: MeteredUpgrade| {
                upgrade.on_upgrade(async |mut socket| while let Some(Ok(_)) = socket.recv().await {})
            }),
        )
        .route("/stays", any(async move |upgrade: MeteredUpgrade| upgrade.on_upgrade(stays)))
        .layer(WebSocketLayer::new(vitals))
        .route_service("/metrics", MetricsRoute::new(vitals))
}

async fn connect(addr: SocketAddr, path: &str) -> Result<tokio_tungstenite::WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await?;
    Ok(client_async(format!("ws://{addr}{path}"), stream).await?.0)
}

/// Leaves without a word, and asks for a version that there is not, again and again: rates are seen of what goes on.
async fn misbehave(addr: SocketAddr) -> Result<()> {
    loop {
        drop(connect(addr, "/left").await?);
        let mut conn = RawConn::connect(addr).await?;
        conn.write(
            b"GET /left HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
            sec-websocket-version: 12\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await?;
        conn.read_until(b"\r\n\r\n").await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn promql() -> Result<(), Failed> {
    let clock = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&clock)).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let app = app(&vitals);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let _stays = connect(addr, "/stays").await?;
    let mut stuck = connect(addr, "/stuck").await?;
    let target = Target {
        job: "websocket",
        addr,
        path: "/metrics",
    };
    let prometheus = Prometheus::start(&[target]).await?;
    let promql = prometheus.promql();
    let are_there = |samples: &[Sample]| samples.len() == 2;
    promql.until("websocket_connections == 1", SCRAPED, are_there).await?;
    let exprs: Vec<_> = READMES.into_iter().flat_map(exprs).collect();
    assert_eq!(exprs.len(), 7, "{exprs:?}");
    for expr in &exprs {
        let quiet = promql.query(expr).await?;
        assert!(quiet.iter().all(|sample| sample.value == 0.0), "{expr}: {quiet:?}");
    }

    futures_util::SinkExt::send(&mut stuck, tokio_tungstenite::tungstenite::Message::text("go")).await?;
    tokio::spawn(async move { misbehave(addr).await.map_err(|error| error.to_string()) });
    promql
        .until("websocket_queue_depth == 1", SCRAPED, |samples| samples.len() == 1)
        .await?;
    clock.advance(Duration::from_secs(11));
    tell(&promql, exprs).await
}

/// Waits until each of these tells of the one that it is about, and of no other.
async fn tell(promql: &PromQl, exprs: Vec<&'static str>) -> Result<(), Failed> {
    for expr in exprs {
        let tells = |sample: &Sample| sample.labels == told_by(expr);
        promql
            .until(expr, SCRAPED, |samples| {
                matches!(samples.iter().filter(|sample| sample.value > 0.0).collect::<Vec<_>>()[..], [one] if tells(one))
            })
            .await?;
    }
    Ok(())
}

/// Of whom it tells.
fn told_by(expr: &str) -> Labels {
    let labels: &[_] = if expr.contains("connections_closed") {
        &[("endpoint", "/left"), ("cause", "reset")]
    } else if expr.contains("handshakes") {
        &[("endpoint", "/left"), ("outcome", "invalid_version")]
    } else {
        &[("endpoint", "/stuck")]
    };
    labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// What stands before the explanations in the block about WebSockets.
fn exprs(readme: &'static str) -> impl Iterator<Item = &'static str> {
    let blocks = readme
        .split("\n```text\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let lines = blocks
        .filter(|block| block.starts_with("sum by (endpoint) (rate(websocket_"))
        .flat_map(str::lines);
    lines.filter_map(|line| line.split("   ").next())
}
