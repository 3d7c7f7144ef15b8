//! Calls by reqwest through a circuit breaker, without any service. The one that is called is a server in this process that fails for a
//! while. It prints the state and what became of each call, and ends.
//!
//! ```text
//! cargo run --example breaker_reqwest
//! ```

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get};
use reqwest::{Client, Response};
use tokio::{net::TcpListener, time::sleep};
use tower_vitals::{
    BreakerError, CircuitBreaker, ClosedLabel, Vitals,
    breaker::{HttpClassifier, OpenFor},
    encode::Protocol,
};

/// What is called. Who takes longer than the client's timeout fails.
struct Model {
    client: Client,
    breaker: CircuitBreaker,
    url: String,
}

impl Model {
    fn new(vitals: &Vitals, url: String) -> Result<Self, Box<dyn Error>> {
        let breaker = CircuitBreaker::builder("model")
            .consecutive_failures(3)
            .open_for(OpenFor::constant(Duration::from_secs(2)))
            .build(vitals)?;
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        Ok(Self { client, breaker, url })
    }

    /// To reqwest, a 503 is an answer as any other, and `breaker.call(..)` takes nothing but errors for failures. The classifier knows
    /// which statuses are failures, and that 404 is none.
    async fn ask(&self) -> Result<Response, BreakerError<reqwest::Error>> {
        let sent = self.client.get(&self.url).send();
        self.breaker.call_with(HttpClassifier::new(), sent).await
    }

    /// Any future of a result will do, where each error is a failure. Here even the 404 is one, and so is a body that breaks off.
    async fn ask_for_text(&self) -> Result<String, BreakerError<reqwest::Error>> {
        let asked = async { self.client.get(&self.url).send().await?.error_for_status()?.text().await };
        self.breaker.call(asked).await
    }
}

/// Fails from its third request on, three times.
fn flaky() -> Router {
    let requests = Arc::new(AtomicU32::new(0));
    let answer = async move || match requests.fetch_add(1, Ordering::Relaxed) {
        2..5 => (StatusCode::SERVICE_UNAVAILABLE, "not now"),
        _ => (StatusCode::OK, "42"),
    };
    Router::new().route("/", get(answer))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, flaky()).await });

    let vitals = Vitals::new();
    let model = Model::new(&vitals, url)?;
    for _ in 0..7 {
        let asked = model.ask().await;
        let state = model.breaker.state().as_str();
        match asked {
            Ok(response) => println!("{state}: {}", response.status()),
            Err(BreakerError::Inner(error)) => println!("{state}: {error}"),
            Err(BreakerError::Rejected(rejected)) => {
                println!("{state}: {rejected}");
                // None when an operator forced it open, or probes are on their way.
                sleep(rejected.retry_after().unwrap_or(Duration::from_secs(1))).await;
            }
        }
    }
    println!("the answer: {}", model.ask_for_text().await?);

    let metrics = vitals.encode_to_string(Protocol::Text0);
    metrics
        .lines()
        .filter(|line| line.starts_with("circuit_breaker_") && !line.ends_with(" 0"))
        .for_each(|line| println!("{line}"));
    Ok(())
}
