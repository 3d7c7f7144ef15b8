//! A server that does what it is told, and has the pages that browsers need.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::ws::{CloseFrame, Message, WebSocket},
    response::Html,
    routing::{any, get, post},
};
use serde_json::Value;
use tests::Result;
use tokio::{net::TcpListener, sync::mpsc};
use tower_vitals::{
    MeteredUpgrade, MetricsRoute, Vitals, WebSocketLayer, WebSockets,
    ws::{CloseCode, MeteredWebSocket, Outbox, OutboxSocket, SortBy},
};

use crate::plan::{CLOSE, FINISH, KICK, PING};

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    reports: mpsc::UnboundedReceiver<String>,
}

#[derive(Default)]
struct Shared {
    plan: Value,
    closes: Vec<(Option<u16>, String)>,
}

/// How the server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Socket,
    Outbox,
}

/// Either, to talk by.
enum Talker {
    Socket(MeteredWebSocket<WebSocket>),
    Outbox(OutboxSocket<WebSocket>),
}

impl Server {
    /// Serves until the test's runtime ends.
    pub(crate) async fn start(by: By) -> Result<Self> {
        let vitals = Vitals::new();
        let sockets = WebSockets::of(&vitals);
        let shared = Arc::<Mutex<Shared>>::default();
        let (report, reports) = mpsc::unbounded_channel();
        let of_sockets = Arc::clone(&shared);
        let talks = async move |upgrade: MeteredUpgrade| {
            upgrade.on_upgrade(async move |socket| {
                let talker = match by {
                    By::Socket => Talker::Socket(socket),
                    By::Outbox => Talker::Outbox(socket.outbox(Outbox::new()).1),
                };
                talk(talker, &of_sockets, &sockets).await;
            })
        };
        let router = pages(&shared, report)
            .route("/ws", any(talks))
            .layer(WebSocketLayer::new(&vitals))
            .route_service("/metrics", MetricsRoute::new(&vitals));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { addr, shared, reports })
    }

    /// Has the page do as this says.
    pub(crate) fn plan(&self, plan: Value) {
        lock(&self.shared).plan = plan;
    }

    /// What the page says when it is done.
    pub(crate) async fn report(&mut self) -> Result<Value> {
        let report = self.reports.recv().await.ok_or("the server is gone")?;
        Ok(serde_json::from_str(&report)?)
    }

    /// The closing messages that came so far.
    pub(crate) fn closes(&self) -> Vec<(Option<u16>, String)> {
        lock(&self.shared).closes.clone()
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pages(shared: &Arc<Mutex<Shared>>, report: mpsc::UnboundedSender<String>) -> Router {
    let shared = Arc::clone(shared);
    Router::new()
        .route("/", get(Html(include_str!("page.html"))))
        .route("/left", get(Html(include_str!("left.html"))))
        .route("/inner", get(Html(include_str!("inner.html"))))
        .route(
            "/converse.js",
            get(([("content-type", "text/javascript")], include_str!("converse.js"))),
        )
        .route("/plan", get(async move || lock(&shared).plan.to_string()))
        .route(
            "/report",
            post(async move |body: String| {
                let _ = report.send(body);
            }),
        )
}

impl Talker {
    async fn recv(&mut self) -> Option<Result<Message, axum::Error>> {
        match self {
            Self::Socket(socket) => socket.recv().await,
            Self::Outbox(socket) => socket.recv().await,
        }
    }

    /// Whether it was sent.
    async fn send(&mut self, message: Message) -> bool {
        match self {
            Self::Socket(socket) => socket.send(message).await.is_ok(),
            Self::Outbox(socket) => socket.send(message).await.is_ok(),
        }
    }

    async fn finish(&mut self) {
        let _ = match self {
            Self::Socket(socket) => socket.finish().await,
            Self::Outbox(socket) => socket.finish().await,
        };
    }
}

/// To the very end: after the other side closes, it is here that our reply leaves.
async fn talk(mut socket: Talker, shared: &Mutex<Shared>, sockets: &WebSockets) {
    while let Some(Ok(message)) = socket.recv().await {
        let answer = match message {
            Message::Text(text) if text == FINISH => {
                socket.finish().await;
                break;
            }
            Message::Text(text) if text.starts_with(KICK) => {
                kick(sockets, &text[KICK.len()..]);
                continue;
            }
            Message::Text(text) => answer(&text),
            Message::Binary(_) => message,
            Message::Pong(data) => Message::text(format!("pong {}", String::from_utf8_lossy(&data))),
            Message::Ping(_) => continue,
            Message::Close(close) => {
                let close = close.map_or((None, String::new()), |close| (Some(close.code), close.reason.to_string()));
                lock(shared).closes.push(close);
                continue;
            }
        };
        if !socket.send(answer).await {
            break;
        }
    }
}

/// Closes what is open: conversations come one after the other.
fn kick(sockets: &WebSockets, code: &str) {
    let code = code.parse().ok().and_then(|code| CloseCode::new(code).ok());
    for one in sockets.connections(SortBy::Age, usize::MAX) {
        sockets.kick(one.id, code.unwrap_or(CloseCode::NORMAL));
    }
}

/// What it is told to send, and otherwise the same again.
fn answer(text: &str) -> Message {
    if let Some(data) = text.strip_prefix(PING) {
        return Message::Ping(data.as_bytes().to_vec().into());
    }
    let close = text.strip_prefix(CLOSE).and_then(|close| close.split_once(' '));
    match close.and_then(|(code, reason)| Some((code.parse().ok()?, reason))) {
        Some((code, reason)) => Message::Close(Some(CloseFrame {
            code,
            reason: reason.into(),
        })),
        None => Message::text(text),
    }
}
