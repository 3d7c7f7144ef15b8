//! A WebSocket that says again what it is told, and what became of each message.
//!
//! ```text
//! cargo run --example ws_echo                       serves on 127.0.0.1:3000; open that in a browser
//! ADDR=127.0.0.1:0 cargo run --example ws_echo      serves on any free port
//! ```

use std::{env, error::Error};

use axum::{
    Router,
    extract::ws::{Message, WebSocket},
    response::{Html, Response},
    routing::{any, get},
    serve::ListenerExt,
};
use tokio::net::TcpListener;
use tower_vitals::{MeteredUpgrade, MeteredWebSocket, MetricsLayer, MetricsRoute, Vitals, WebSocketLayer, ws::TcpOptions};

const PAGE: &str = r#"<!doctype html>
<title>ws_echo</title>
<form><input autofocus placeholder="say something"> <button>Send</button> <a href="/metrics">metrics</a></form>
<pre></pre>
<script>
const socket = new WebSocket(`ws://${location.host}/ws`);
const [form, input, log] = ["form", "input", "pre"].map((name) => document.querySelector(name));
const show = (line) => log.append(line + "\n");
socket.onopen = () => show("open");
socket.onmessage = ({ data }) => show(data);
socket.onclose = ({ code, wasClean }) => show(`closed: ${code}${wasClean ? "" : ", not clean"}`);
form.onsubmit = (event) => { event.preventDefault(); socket.send(input.value); input.value = ""; };
</script>
"#;

fn app(vitals: &Vitals) -> Router {
    Router::new()
        .route("/", get(Html(PAGE)))
        // WebSockets over HTTP/2 come as CONNECT, so a route for GET is not enough.
        .route("/ws", any(echo))
        // Counts handshakes, whatever becomes of them, and lets the extractor count what follows.
        .layer(WebSocketLayer::new(vitals))
        .layer(MetricsLayer::new(vitals))
        .route_service("/metrics", MetricsRoute::new(vitals))
}

async fn echo(upgrade: MeteredUpgrade) -> Response {
    // Nobody here has that much to say.
    upgrade.max_message_size(64 * 1024).on_upgrade(talk)
}

async fn talk(mut socket: MeteredWebSocket<WebSocket>) {
    // To the very end: after the other side closes, it is here that our reply leaves.
    while let Some(Ok(message)) = socket.recv().await {
        let is_data = matches!(message, Message::Text(_) | Message::Binary(_));
        if is_data && socket.send(message).await.is_err() {
            break;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let vitals = Vitals::new();
    let listener = TcpListener::bind(env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".into())).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("What to try: {url}/");
    println!("curl -s {url}/metrics | grep ^websocket    Ctrl-C stops");
    // What a client leaves unread waits here, where it is counted, and not in the kernel.
    let listener = listener.tap_io(TcpOptions::new().tap());
    Ok(axum::serve(listener, app(&vitals)).await?)
}
