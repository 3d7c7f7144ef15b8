//! A client's WebSocket, by tokio-tungstenite, counted as a server's are. It says something to `ws_echo`, or to the quickstart, prints what
//! comes back and what its own metrics say then, and ends. It serves nothing.
//!
//! ```text
//! cargo run --example ws_echo                                   in another terminal
//! cargo run --example ws_client                                 talks to ws://127.0.0.1:3000/ws
//! URL=ws://127.0.0.1:4000/ws cargo run --example ws_client      talks to another one
//! ```

use std::{env, error::Error, time::Duration};

use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use tower_vitals::{MeteredWebSocket, Vitals, WebSockets, encode::Protocol};

type ClientSocket = MeteredWebSocket<WebSocketStream<MaybeTlsStream<TcpStream>>>;

/// How long the other side may take for anything.
const PATIENCE: Duration = Duration::from_secs(5);

async fn talk(mut socket: ClientSocket) -> Result<(), Box<dyn Error>> {
    for text in ["hello", "and again", "goodbye"] {
        timeout(PATIENCE, socket.send(Message::text(text))).await??;
        println!("{text}: {}", timeout(PATIENCE, answer(&mut socket)).await??);
    }
    // Closes, and waits for the other side to agree. To let go of the socket would be an ending of another kind: `dropped`.
    timeout(PATIENCE, socket.finish()).await??;
    Ok(())
}

/// The next text, whatever comes before it: the other side may send pings.
async fn answer(socket: &mut ClientSocket) -> Result<String, Box<dyn Error>> {
    while let Some(message) = socket.recv().await {
        if let Message::Text(text) = message? {
            return Ok(text.to_string());
        }
    }
    Err("the other side closed the connection".into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let vitals = Vitals::new();
    // A name from code, and never the URL, which may have anything in it.
    let echo = WebSockets::of(&vitals).endpoint("echo");
    let url = env::var("URL").unwrap_or_else(|_| "ws://127.0.0.1:3000/ws".into());
    let connected = timeout(PATIENCE, connect_async(&url)).await?;
    let (socket, _) = connected.map_err(|error| format!("cannot connect to {url}: {error}; does ws_echo run?"))?;
    let talked = talk(echo.meter(socket)).await;

    // Also when it did not go well: this is where it says how.
    let metrics = vitals.encode_to_string(Protocol::Text0);
    metrics
        .lines()
        .filter(|line| line.starts_with("websocket_") && !line.contains("_bucket{") && !line.ends_with(" 0"))
        .for_each(|line| println!("{line}"));
    talked
}
