//! Servers whose connections send back what comes.

use std::{io, time::Duration};

use axum::{
    Router,
    extract::{
        WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    routing::any,
    serve::ListenerExt as _,
};
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use tokio::{net::TcpListener, sync::mpsc};
use tower_vitals::{
    MeteredUpgrade, MeteredWebSocket, Vitals, WebSocketLayer,
    ws::{Heartbeat, Limits, Outbox},
};

use crate::Result;

/// A server.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// What the gate calls the heap of an idle connection, if it holds it.
    pub(crate) gate: Option<&'static str>,
    /// Whether it is asked how much it gets through.
    pub(super) is_timed: bool,
    routes: fn() -> Router,
}

/// The first is what the others are compared with.
pub(crate) const ALL: &[Server] = &[
    Server {
        name: "axum, reads into 16 KiB",
        gate: None,
        is_timed: true,
        routes: || plain(SMALL, echo),
    },
    Server {
        name: "axum",
        gate: None,
        is_timed: true,
        routes: || plain(LARGE, echo),
    },
    Server {
        name: "axum, reads into 16 KiB, a channel and a task",
        gate: None,
        is_timed: true,
        routes: || plain(SMALL, by_hand),
    },
    Server {
        name: "tower-vitals",
        gate: Some("websocket_idle_held"),
        is_timed: true,
        routes: || metered(|upgrade| upgrade, metered_echo),
    },
    Server {
        name: "tower-vitals, heartbeat and limits",
        gate: Some("websocket_idle_with_heartbeat_held"),
        is_timed: false,
        routes: || metered(|upgrade| upgrade.limits(limits()), metered_echo),
    },
    Server {
        name: OUTBOX,
        gate: Some("websocket_idle_with_outbox_held"),
        is_timed: true,
        routes: || metered(|upgrade| upgrade, outbox),
    },
    Server {
        name: "tower-vitals, outbox and a driver",
        gate: None,
        is_timed: true,
        routes: || metered(|upgrade| upgrade, driven),
    },
];

/// The one that has an outbox and no more than one task.
pub(super) const OUTBOX: &str = "tower-vitals, outbox";

/// Those that are asked how much they get through.
pub(super) fn timed() -> impl Iterator<Item = &'static Server> {
    ALL.iter().filter(|server| server.is_timed)
}

/// What `MeteredUpgrade` reads into, and what axum does.
const SMALL: usize = 16 * 1024;
const LARGE: usize = 128 * 1024;

/// The server of that name.
pub(super) fn find(name: &str) -> Result<&'static Server> {
    let mut servers = ALL.iter();
    servers
        .find(|known| known.name == name)
        .ok_or_else(|| format!("no server {name:?}").into())
}

/// Serves for ever, and sends what is to be sent at once: otherwise there is nothing to see but how long the kernel waits for more.
pub(super) async fn serve(listener: TcpListener, server: &Server) -> io::Result<()> {
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("it is a socket of TCP"));
    axum::serve(listener, (server.routes)()).await
}

/// What a client asks for first.
pub(super) const HANDSHAKE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn plain<F>(read_buffer: usize, talk: fn(WebSocket) -> F) -> Router
where
    F: Future<Output = ()> + Send + 'static,
{
    let upgrade = async move |upgrade: WebSocketUpgrade| upgrade.read_buffer_size(read_buffer).on_upgrade(talk);
    Router::new().route("/", any(upgrade))
}

fn metered<F>(set: fn(MeteredUpgrade) -> MeteredUpgrade, talk: fn(MeteredWebSocket<WebSocket>) -> F) -> Router
where
    F: Future<Output = ()> + Send + 'static,
{
    let layer = WebSocketLayer::new(&Vitals::new());
    let upgrade = async move |upgrade: MeteredUpgrade| set(upgrade).on_upgrade(talk);
    Router::new().route("/", any(upgrade)).layer(layer)
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn metered_echo(mut socket: MeteredWebSocket<WebSocket>) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn outbox(socket: MeteredWebSocket<WebSocket>) {
    let (sender, mut socket) = socket.outbox(Outbox::new());
    while let Some(Ok(message)) = socket.recv().await {
        if sender.send(message).await.is_err() {
            return;
        }
    }
}

async fn driven(socket: MeteredWebSocket<WebSocket>) {
    let (sender, socket) = socket.outbox(Outbox::new());
    let (mut receiver, driver) = socket.split();
    tokio::spawn(driver);
    while let Some(Ok(message)) = receiver.recv().await {
        if sender.send(message).await.is_err() {
            return;
        }
    }
}

/// What is mostly written where several tasks send. It flushes when it has nothing more to send.
async fn by_hand(socket: WebSocket) {
    let (mut sink, mut stream) = socket.split();
    let (sender, mut receiver) = mpsc::channel(1_024);
    tokio::spawn(async move {
        while let Some(message) = receiver.recv().await {
            if send_all(&mut sink, message, &mut receiver).await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(message)) = stream.next().await {
        if sender.send(message).await.is_err() {
            return;
        }
    }
}

async fn send_all<S: Sink<Message> + Unpin>(
    sink: &mut S,
    first: Message,
    others: &mut mpsc::Receiver<Message>,
) -> std::result::Result<(), S::Error> {
    sink.feed(first).await?;
    while let Ok(message) = others.try_recv() {
        sink.feed(message).await?;
    }
    sink.flush().await
}

fn limits() -> Limits {
    Limits::new()
        .heartbeat(Heartbeat::every(Duration::from_secs(30)))
        .idle_timeout(Duration::from_secs(900))
        .max_lifetime(Duration::from_secs(86_400))
}
