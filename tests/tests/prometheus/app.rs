//! An application with metrics, and the requests that it is sent.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, Request as AxumRequest, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{any, get, post},
};
use http::{Method, Request, StatusCode};
use http_body_util::Empty;
use libtest_mimic::Failed;
use tests::{client::Client, server::Server};
use tower_vitals::{ManualClock, MetricsLayer, MetricsRoute, ProtocolKind, Vitals};

/// Method, path, its route, status, and how many; sent from several connections at once.
pub(crate) const MIX: &[(&str, &str, &str, &str, u32)] = &[
    ("GET", "/", "/", "200", 500),
    ("GET", "/users/7", "/users/{id}", "200", 310),
    ("GET", "/users/8", "/users/{id}", "200", 127),
    ("DELETE", "/users/8", "/users/{id}", "405", 31),
    ("HEAD", "/", "/", "200", 53),
    ("POST", "/users", "/users", "201", 211),
    ("GET", "/users", "/users", "405", 17),
    ("PUT", "/status/404", "/status/{code}", "404", 97),
    ("GET", "/status/503", "/status/{code}", "503", 151),
    ("PATCH", "/status/204", "/status/{code}", "204", 83),
    ("GET", "/nowhere/1", "_unmatched", "404", 61),
    ("GET", "/nowhere/2", "_unmatched", "404", 62),
    ("BREW", "/status/418", "/status/{code}", "418", 29),
];

/// Durations in milliseconds, sent one after the other, and how many of each.
pub(crate) const WAITS: &[(u64, u32)] = &[
    (3, 40),
    (5, 60),
    (30, 90),
    (60, 150),
    (80, 60),
    (200, 30),
    (700, 50),
    (2500, 14),
    (12_000, 6),
];

/// What a scraper asked for on which path, and what it got.
pub(crate) type Asked = BTreeSet<(String, String, String)>;

#[derive(Clone, Default)]
pub(crate) struct App {
    pub(crate) clock: ManualClock,
    asked: Arc<Mutex<Asked>>,
}

impl App {
    /// The metrics routes stand outside the layer, so that every number is one of ours.
    pub(crate) fn router(&self, vitals: &Vitals) -> Router {
        let status = |Path(code): Path<u16>| async move { StatusCode::from_u16(code).unwrap_or(StatusCode::IM_A_TEAPOT) };
        let app = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/users", post(|| async { (StatusCode::CREATED, "made") }))
            .route("/users/{id}", get(|Path(id): Path<String>| async { id }))
            .route("/status/{code}", any(status))
            .route("/wait/{ms}", get(wait))
            // Its own, because `merge` would take the one of the metrics routes, without the layer.
            .fallback(|| async { StatusCode::NOT_FOUND })
            .with_state(self.clone())
            .layer(MetricsLayer::new(vitals));
        let text = MetricsRoute::new(vitals).protocols([ProtocolKind::Text]);
        let metrics = Router::new()
            .route_service("/metrics", MetricsRoute::new(vitals))
            .route_service("/metrics-text", text)
            .layer(from_fn_with_state(self.clone(), note));
        app.merge(metrics)
    }

    pub(crate) fn asked(&self) -> Asked {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes as long as it is told, to the nanosecond.
async fn wait(State(app): State<App>, Path(ms): Path<u64>) -> String {
    app.clock.advance(Duration::from_millis(ms));
    format!("waited {ms} ms")
}

/// Takes note of what scrapers ask for and get.
async fn note(State(app): State<App>, request: AxumRequest, next: Next) -> Response {
    let text = |headers: &http::HeaderMap, name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let path = request.uri().path().to_owned();
    let accept = text(request.headers(), "accept");
    let response = next.run(request).await;
    let got = text(response.headers(), "content-type");
    app.asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert((path, accept, got));
    response
}

pub(crate) async fn send_waits(server: &Server) -> Result<(), Failed> {
    let mut clients = [Client::http1(server.addr()).await?, Client::http2(server.addr()).await?];
    for (ms, times) in WAITS {
        for turn in 0..*times {
            let client = &mut clients[turn as usize % 2];
            let answer = client.send(tests::client::get(&format!("/wait/{ms}"))).await?;
            assert_eq!(answer.text()?, format!("waited {ms} ms"));
        }
    }
    Ok(())
}

/// Half of the connections are HTTP/2.
pub(crate) async fn send_mix(server: &Server) -> Result<(), Failed> {
    let mut sending = Vec::new();
    for (turn, (method, path, _, status, times)) in MIX.iter().enumerate() {
        let mut client = match turn % 2 {
            0 => Client::http1(server.addr()).await?,
            _ => Client::http2(server.addr()).await?,
        };
        sending.push(tokio::spawn(async move {
            for _ in 0..*times {
                let request = Request::builder().method(Method::from_bytes(method.as_bytes())?).uri(*path);
                let answer = client.send(request.body(Empty::new())?).await?;
                assert_eq!(answer.status().as_str(), *status, "{method} {path}");
            }
            Ok::<_, tests::BoxError>(())
        }));
    }
    for task in sending {
        let sent: tests::Result<()> = task.await?;
        sent?;
    }
    Ok(())
}
