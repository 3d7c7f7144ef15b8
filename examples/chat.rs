//! Chat rooms: what one says, all in the room hear. Who reads too slowly misses messages, and is told how many.
//!
//! ```text
//! cargo run --example chat                       serves on 127.0.0.1:3000; open that in two browsers
//! ADDR=127.0.0.1:0 cargo run --example chat      serves on any free port
//! ```
//!
//! Operators have a port of their own, also by `OPERATORS=127.0.0.1:0`: metrics, the connections that are worst off, and a way to close one.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{
        Path, State,
        ws::{Message, Utf8Bytes, WebSocket},
    },
    http::StatusCode,
    response::{Html, Response},
    routing::{any, get, post},
    serve::ListenerExt,
};
use tokio::net::TcpListener;
use tower_vitals::{
    MeteredUpgrade, MeteredWebSocket, MetricsLayer, MetricsRoute, Vitals, WebSocketLayer, WebSockets,
    ws::{CloseCode, ConnectionId, Drain, Heartbeat, Limits, Outbox, OutboxSender, Overflow, SortBy, TcpOptions},
};

const PAGE: &str = include_str!("chat.html");

/// Who is in which room. Clones are the same rooms.
#[derive(Clone, Default)]
struct Rooms {
    members: Arc<Mutex<HashMap<String, Members>>>,
}

/// By a number that none of the others in the room has.
type Members = BTreeMap<u64, OutboxSender<Message>>;

/// A member of a room, until it is dropped.
struct Member {
    rooms: Rooms,
    room: String,
    id: u64,
}

impl Rooms {
    fn join(&self, room: String, sender: OutboxSender<Message>) -> Member {
        let mut rooms = self.lock();
        let members = rooms.entry(room.clone()).or_default();
        let id = members.last_key_value().map_or(0, |(last, _)| last + 1);
        members.insert(id, sender);
        let rooms = self.clone();
        Member { rooms, room, id }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Members>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Says something to all in the room. Nobody is waited for: what finds no room in an outbox takes that of what waits longest there.
    fn say(&self, text: &Utf8Bytes) {
        for member in self.rooms.lock().get(&self.room).into_iter().flat_map(Members::values) {
            // It fails for who has just left. The text is shared and not copied.
            let _ = member.try_send(Message::Text(text.clone()));
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        if let Some(members) = rooms.get_mut(&self.room) {
            members.remove(&self.id);
            if members.is_empty() {
                rooms.remove(&self.room);
            }
        }
    }
}

async fn join(upgrade: MeteredUpgrade, Path(room): Path<String>, State(rooms): State<Rooms>) -> Response {
    let limits = Limits::new()
        .heartbeat(Heartbeat::every(Duration::from_secs(20)))
        .idle_timeout(Duration::from_secs(3600));
    // Nobody here has that much to say.
    let upgrade = upgrade.max_message_size(4 * 1024).limits(limits);
    upgrade.on_upgrade(|socket| chat(socket, room, rooms))
}

async fn chat(socket: MeteredWebSocket<WebSocket>, room: String, rooms: Rooms) {
    let outbox = Outbox::new()
        .max_messages(256)
        .overflow(Overflow::DropOldest)
        .on_gap(|missed| Message::Text(format!("* you missed {missed} messages").into()));
    let (sender, mut socket) = socket.outbox(outbox);
    let member = rooms.join(room, sender);
    // What others say is sent in here, too.
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message {
            member.say(&text);
        }
    }
}

fn app(vitals: &Vitals) -> Router {
    Router::new()
        .route("/", get(Html(PAGE)))
        .route("/rooms/{room}", any(join))
        .with_state(Rooms::default())
        .layer(WebSocketLayer::new(vitals))
        .layer(MetricsLayer::new(vitals))
}

/// The connections that have most to be sent.
async fn connections(State(sockets): State<WebSockets>) -> String {
    let slowest = sockets.connections(SortBy::Queue, 10).into_iter();
    let lines = slowest.map(|one| {
        let (waits, age, quality) = (one.queued_bytes + one.buffered_bytes, one.age.as_secs(), one.quality);
        format!("{} {quality:?}, {age} s old, {waits} bytes wait\n", one.id)
    });
    lines.collect()
}

async fn kick(State(sockets): State<WebSockets>, Path(id): Path<String>) -> (StatusCode, String) {
    match id.parse::<ConnectionId>() {
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
        Ok(id) if sockets.kick(id, CloseCode::POLICY) => (StatusCode::OK, String::new()),
        Ok(_) => (StatusCode::NOT_FOUND, "there is no such connection".to_owned()),
    }
}

fn operators(vitals: &Vitals, sockets: WebSockets) -> Router {
    Router::new()
        .route("/connections", get(connections))
        .route("/kick/{id}", post(kick))
        .with_state(sockets)
        .route_service("/metrics", MetricsRoute::new(vitals))
}

async fn listen(variable: &str, otherwise: &str) -> Result<TcpListener, Box<dyn Error>> {
    let addr = env::var(variable).unwrap_or_else(|_| otherwise.into());
    Ok(TcpListener::bind(&addr)
        .await
        .map_err(|error| format!("{variable}={addr}: {error}"))?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let vitals = Vitals::new();
    let sockets = WebSockets::of(&vitals);
    let (listener, private) = (
        listen("ADDR", "127.0.0.1:3000").await?,
        listen("OPERATORS", "127.0.0.1:3001").await?,
    );
    println!("What to try: http://{}/", listener.local_addr()?);
    println!(
        "curl -s http://{}/connections    beside /metrics, and POST /kick/ID",
        private.local_addr()?
    );
    println!("Ctrl-C stops");
    let operators = operators(&vitals, sockets.clone());
    tokio::spawn(async move { axum::serve(private, operators).await });
    let stop = async move {
        // Where there is no such signal, it is stopped otherwise.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        let drain = Drain::new().code(CloseCode::SERVICE_RESTART).over(Duration::from_secs(1));
        let drained = sockets.drain(drain).await;
        println!("{} connections closed, {} left", drained.closed, drained.left);
    };
    // So that a client that does not read is seen before the kernel has taken megabytes for it.
    let listener = listener.tap_io(TcpOptions::new().tap());
    Ok(axum::serve(listener, app(&vitals)).with_graceful_shutdown(stop).await?)
}
