//! An axum application that counts and times its requests, and what is said over its WebSocket, and shows them to Prometheus.
//!
//! ```text
//! cargo run --example quickstart                       serves on 127.0.0.1:3000
//! ADDR=127.0.0.1:0 cargo run --example quickstart      serves on any free port
//! LOAD=1 cargo run --example quickstart                sends itself traffic, so that the numbers move
//! ```

use std::{env, error::Error, io, process::ExitCode, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State, ws::Message},
    http::StatusCode,
    response::Response,
    routing::{any, get, post},
};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::{net::TcpListener, time::sleep};
use tower_vitals::{CounterFamily, MeteredUpgrade, MetricsLayer, MetricsRoute, Vitals, WebSocketLayer, WebSockets, ws::Drain};

#[path = "quickstart_load.rs"]
mod load;

const ADDR: &str = "127.0.0.1:3000";

/// How long open requests may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(2);

const MOST_CHUNKS: usize = 1_000;
const LONGEST_PAUSE_MS: u64 = 60_000;

const INDEX: &str = "\
GET  /users/{id}             200
POST /users                  201; a body of `pro` chooses that plan
GET  /fail                   500
GET  /panic                  the handler panics: the connection closes, the server lives
GET  /slow?ms=N              200 after N milliseconds; leave before, and it counts as aborted
GET  /stream?chunks=N&ms=M   N chunks, M milliseconds apart
GET  /ws                     a WebSocket that says again what it is told
GET  /metrics                what became of them all
";

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn app(vitals: &Vitals) -> Result<Router, Box<dyn Error>> {
    // A metric of the application's own comes out beside those of the layer.
    let signups = vitals.counter("signups_total", "Users who signed up").labels(["plan"])?;
    Ok(Router::new()
        .route("/", get(INDEX))
        .route("/users/{id}", get(user))
        .route("/users", post(sign_up))
        .route("/fail", get((StatusCode::INTERNAL_SERVER_ERROR, "failed on purpose\n")))
        .route("/panic", get(panics))
        .route("/slow", get(slow))
        .route("/stream", get(chunks))
        .route("/ws", any(echo))
        .with_state(signups)
        // Counts handshakes, and lets the extractor count what follows.
        .layer(WebSocketLayer::new(vitals))
        // A layer sees the routes above it; scrapes stay out of the numbers.
        .layer(MetricsLayer::new(vitals))
        .route_service("/metrics", MetricsRoute::new(vitals)))
}

async fn user(Path(id): Path<String>) -> String {
    format!("user {id}\n")
}

async fn sign_up(State(signups): State<CounterFamily<1>>, body: String) -> (StatusCode, String) {
    // Nobody outside chooses the values of a label.
    let plan = if body == "pro" { "pro" } else { "free" };
    signups.with([plan]).inc();
    (StatusCode::CREATED, format!("signed up for {plan}\n"))
}

async fn panics() {
    panic!("this handler panics on purpose");
}

#[derive(serde::Deserialize)]
#[serde(default)]
struct Pace {
    chunks: usize,
    ms: u64,
}

async fn slow(Query(pace): Query<Pace>) -> &'static str {
    sleep(pace.pause()).await;
    "here at last\n"
}

async fn chunks(Query(pace): Query<Pace>) -> Body {
    let pause = pace.pause();
    let chunks = stream::iter(1..=pace.chunks.min(MOST_CHUNKS)).then(move |n| async move {
        sleep(pause).await;
        Ok::<_, io::Error>(format!("chunk {n}\n"))
    });
    Body::from_stream(chunks)
}

async fn echo(upgrade: MeteredUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            let is_data = matches!(message, Message::Text(_) | Message::Binary(_));
            if is_data && socket.send(message).await.is_err() {
                break;
            }
        }
    })
}

impl Pace {
    fn pause(&self) -> Duration {
        Duration::from_millis(self.ms.min(LONGEST_PAUSE_MS))
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { chunks: 10, ms: 500 }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let addr = env::var_os("ADDR").map_or_else(|| ADDR.into(), |addr| addr.to_string_lossy().into_owned());
    let listener = TcpListener::bind(&addr).await.map_err(|error| {
        format!("cannot listen on {addr:?}: {error}; choose another address: ADDR=127.0.0.1:0 takes any free port")
    })?;
    let url = format!("http://{}", listener.local_addr()?);
    let stop = stop_signal()?.shared();
    let vitals = Vitals::new();
    let app = app(&vitals)?;
    let sockets = WebSockets::of(&vitals);

    println!("What to try: {url}/");
    println!("The metrics: {url}/metrics\n");
    println!("curl {url}/users/42");
    println!("curl -d pro {url}/users");
    println!("curl -m 1 '{url}/slow?ms=5000'\n");
    println!("Ctrl-C stops. LOAD=1 sends traffic.");

    if env::var_os("LOAD").is_some_and(|load| load == "1") {
        tokio::spawn(load::run(url));
    }
    let drained = stop.clone().then(|()| async move {
        // WebSockets are told that the server goes; axum does not wait for them.
        sockets.drain(Drain::new().over(Duration::ZERO).grace(GRACE / 2)).await;
    });
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(drained) => served?,
        // Who holds a stream open does not hold the server.
        () = stop.then(|()| sleep(GRACE)) => {}
    }
    Ok(())
}

/// Listens for signals from now on; what it gives ends with the first Ctrl-C or SIGTERM.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(tokio::signal::ctrl_c().map(drop))
}
