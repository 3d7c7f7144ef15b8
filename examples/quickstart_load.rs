//! Mixed traffic over real HTTP and a WebSocket, for the quickstart to have something to show.

use std::{error::Error, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request},
};
use futures_util::{SinkExt, StreamExt};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::{connect_async, tungstenite::Message};

/// Between two requests.
const PAUSE: Duration = Duration::from_millis(20);

/// What takes longer is left half-way, before the head or inside the body.
const PATIENCE: Duration = Duration::from_millis(500);

const WEBSOCKET: &str = "/ws";

/// Every how many requests which one comes; the first that fits is taken.
const MIX: [(usize, Method, &str); 11] = [
    (97, Method::GET, "/panic"),
    (37, Method::GET, "/slow?ms=5000"),
    (31, Method::GET, "/stream?chunks=1000&ms=10"),
    (29, Method::GET, "/not/there"),
    (23, Method::GET, WEBSOCKET),
    (19, Method::GET, "/fail"),
    (17, Method::GET, "/stream?chunks=5&ms=20"),
    (11, Method::GET, "/slow?ms=100"),
    (7, Method::GET, "/"),
    (3, Method::POST, "/users"),
    (1, Method::GET, "/users/{n}"),
];

/// Who asks; they take turns.
const CREDENTIALS: [Option<(&str, &str)>; 5] = [
    None,
    Some(("authorization", "Basic dXNlcjpwYXNzd29yZA==")),
    Some(("authorization", "Bearer some-token")),
    Some(("authorization", "Bearer header.payload.signature")),
    Some(("x-api-key", "some-key")),
];

type HttpClient = Client<HttpConnector, Body>;

/// Sends requests until it is dropped.
pub(crate) async fn run(url: String) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in 1.. {
        ticks.tick().await;
        tokio::spawn(timeout(PATIENCE, send(client.clone(), url.clone(), n)));
    }
}

/// Sends the `n`th request and reads its answer, which may fail: `/panic` has none.
async fn send(client: HttpClient, url: String, n: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let fits = MIX.iter().find(|(every, ..)| n % every == 0);
    let (_, method, path) = fits.ok_or("every number is a multiple of one")?;
    if *path == WEBSOCKET {
        return talk(url.replacen("http", "ws", 1) + path).await;
    }
    let path = path.replace("{n}", &n.to_string());
    let mut request = Request::builder().method(method).uri(url + &path);
    if let Some((name, value)) = CREDENTIALS[n % CREDENTIALS.len()] {
        request = request.header(name, value);
    }
    let response = client.request(request.body(Body::empty())?).await?;
    to_bytes(Body::new(response.into_body()), usize::MAX).await?;
    Ok(())
}

/// Says something, hears it again, and closes.
async fn talk(url: String) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut socket, _) = connect_async(url).await?;
    for text in ["hello", "and again"] {
        socket.send(Message::text(text)).await?;
        socket.next().await.transpose()?;
    }
    socket.close(None).await?;
    // The reply, and the end.
    while socket.next().await.transpose()?.is_some() {}
    Ok(())
}
