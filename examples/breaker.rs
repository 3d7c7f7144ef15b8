//! A service that asks another through a circuit breaker. The other one is a second server in this process, which can be broken and
//! mended.
//!
//! ```text
//! cargo run --example breaker                               serves on 127.0.0.1:3000, or on another ADDR
//!
//! curl -i 127.0.0.1:3000/stock                              200: the breaker is closed
//! curl -X POST 127.0.0.1:3000/break                         the other one fails from now on
//! curl -i 127.0.0.1:3000/stock                              500, three times: the breaker opens
//! curl -i 127.0.0.1:3000/stock                              503 with Retry-After: nobody asks the other one
//! curl -X POST 127.0.0.1:3000/mend
//! curl -i 127.0.0.1:3000/stock                              once the time is over 200, of a probe: it is half-open
//! curl -i 127.0.0.1:3000/stock                              200, and after two good probes it is closed
//! curl -s 127.0.0.1:3000/metrics | grep ^circuit_breaker    at any time: the state is 0 closed, 1 open, 2 half-open
//! ```

use std::{
    env,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Request, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower::{
    ServiceBuilder, ServiceExt,
    timeout::{Timeout, TimeoutLayer},
};
use tower_vitals::{
    BreakerError, CircuitBreaker, CircuitBreakerLayer, CircuitBreakers, ClosedLabel, MetricsLayer, MetricsRoute, Vitals,
    breaker::{AtBodyEnd, CircuitBreakerService, Event, HalfOpen, HttpClassifier, OpenFor, Subscription},
};

/// How long the head of an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long nobody asks one that failed.
const OPEN: Duration = Duration::from_secs(3);

/// Asks the other one, if its breaker lets it. Clones share connections and breaker.
#[derive(Clone)]
struct Stock {
    client: CircuitBreakerService<Timeout<Client<HttpConnector, Empty<Bytes>>>, AtBodyEnd<HttpClassifier>>,
    uri: Uri,
}

impl Stock {
    fn new(vitals: &Vitals, uri: Uri) -> Result<Self, Box<dyn Error>> {
        let breaker = CircuitBreaker::builder("stock")
            .consecutive_failures(3)
            .failure_rate(0.5)
            .open_for(OpenFor::constant(OPEN))
            .half_open(HalfOpen::new(2))
            .build(vitals)?;
        let client = ServiceBuilder::new()
            // A body that breaks off is a failure, too.
            .layer(CircuitBreakerLayer::new(breaker).classify_bodies(HttpClassifier::new()))
            // Inside of the breaker, or it would take who is late for a caller who left.
            .layer(TimeoutLayer::new(PATIENCE))
            .service(Client::builder(TokioExecutor::new()).build_http());
        Ok(Self { client, uri })
    }
}

async fn stock(State(stock): State<Stock>) -> Response {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = stock.uri;
    match stock.client.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        // 503, with Retry-After. It is here that a cache would answer instead.
        Err(BreakerError::Rejected(rejected)) => rejected.into_response(),
        Err(BreakerError::Inner(error)) => (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response(),
    }
}

/// The other one.
fn other(is_broken: Arc<AtomicBool>) -> Router {
    let stock = async move || match is_broken.load(Ordering::Relaxed) {
        true => (StatusCode::INTERNAL_SERVER_ERROR, "broken\n"),
        false => (StatusCode::OK, "7 are left\n"),
    };
    Router::new().route("/stock", get(stock))
}

/// Prints what breakers do, as long as the subscription is kept.
fn print_transitions(vitals: &Vitals) -> Subscription {
    CircuitBreakers::of(vitals).subscribe(|event| {
        if let Event::Transition {
            breaker,
            from,
            to,
            reason,
            ..
        } = event
        {
            println!("{breaker}: {} -> {}: {}", from.as_str(), to.as_str(), reason.as_str());
        }
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let is_broken = Arc::new(AtomicBool::new(false));
    let behind = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("http://{}/stock", behind.local_addr()?).parse()?;
    let other = other(Arc::clone(&is_broken));
    tokio::spawn(async move { axum::serve(behind, other).await });

    let vitals = Vitals::new();
    let _printing = print_transitions(&vitals);
    let turn = |broken: bool| {
        let is_broken = Arc::clone(&is_broken);
        post(async move || is_broken.store(broken, Ordering::Relaxed))
    };
    let app = Router::new()
        .route("/stock", get(stock))
        .with_state(Stock::new(&vitals, uri)?)
        .route("/break", turn(true))
        .route("/mend", turn(false))
        .layer(MetricsLayer::new(&vitals))
        .route_service("/metrics", MetricsRoute::new(&vitals));
    let listener = TcpListener::bind(env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".into())).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("curl -i {url}/stock");
    println!("curl -X POST {url}/break");
    println!("curl -X POST {url}/mend");
    println!("curl -s {url}/metrics | grep ^circuit_breaker    Ctrl-C stops");
    Ok(axum::serve(listener, app).await?)
}
