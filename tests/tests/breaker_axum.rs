//! A breaker in front of an axum application, served by axum's own server over real TCP.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, error_handling::HandleErrorLayer, response::IntoResponse, routing::get};
use http::StatusCode;
use tests::{Result, client::Client, exchange::Answer};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_vitals::{
    BreakerError, CircuitBreaker, CircuitBreakerLayer, Clock, ManualClock, UnavailableLayer, Vitals,
    breaker::{AtBodyEnd, CircuitBreakerBuilder, HttpClassifier, OpenFor, Outcome, RejectReason},
};

const OPEN: Duration = Duration::from_secs(30);

fn stopped_clock() -> Result<(Vitals, ManualClock)> {
    let clock = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&clock)).build()?;
    Ok((vitals, clock))
}

/// The application that a breaker stands in front of.
#[derive(Clone, Default)]
struct Stock {
    status: Arc<AtomicU16>,
    asked: Arc<AtomicU32>,
}

impl Stock {
    fn router(&self) -> Router {
        let stock = self.clone();
        let answer = async move || {
            stock.asked.fetch_add(1, Ordering::SeqCst);
            StatusCode::from_u16(stock.status.load(Ordering::SeqCst)).unwrap_or(StatusCode::OK)
        };
        Router::new().route("/stock", get(answer))
    }
}

/// Serves by axum's own server until the test's runtime ends.
async fn serve(router: Router) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(addr)
}

async fn ask(client: &mut Client) -> Result<Answer> {
    client.send(tests::client::get("/stock")).await
}

fn in_front(builder: CircuitBreakerBuilder, vitals: &Vitals) -> Result<CircuitBreakerLayer<AtBodyEnd<HttpClassifier>>> {
    Ok(CircuitBreakerLayer::new(builder.build(vitals)?).classify_bodies(HttpClassifier::new()))
}

#[tokio::test]
async fn connections_of_an_axum_application_share_the_state() -> Result<()> {
    let (vitals, clock) = stopped_clock()?;
    let builder = || {
        let builder = CircuitBreaker::builder("stock").consecutive_failures(3);
        builder.open_for(OpenFor::constant(OPEN))
    };
    let stock = Stock::default();
    let layer = ServiceBuilder::new().layer(UnavailableLayer);
    let addr = serve(stock.router().layer(layer.layer(in_front(builder(), &vitals)?))).await?;
    let mut clients = [
        Client::http1(addr).await?,
        Client::http1(addr).await?,
        Client::http2(addr).await?,
    ];
    for client in &mut clients {
        assert_eq!(ask(client).await?.status(), 200);
    }
    stock.status.store(502, Ordering::SeqCst);
    for client in &mut clients {
        assert_eq!(ask(client).await?.status(), 502, "one failure of each");
    }
    for client in &mut clients {
        let answer = ask(client).await?;
        assert_eq!((answer.status().as_u16(), answer.header("retry-after")), (503, Some("30")));
    }
    assert_eq!(stock.asked.load(Ordering::SeqCst), 6);
    clock.advance(OPEN - Duration::from_millis(1));
    assert_eq!(ask(&mut Client::http1(addr).await?).await?.header("retry-after"), Some("1"));

    clock.advance(Duration::from_millis(1));
    stock.status.store(200, Ordering::SeqCst);
    for client in &mut clients {
        assert_eq!(ask(client).await?.status(), 200);
    }
    let status = builder().build(&vitals)?.status();
    assert_eq!((status.calls(Outcome::Success), status.calls(Outcome::Failure)), (6, 3));
    assert_eq!(status.rejected(RejectReason::Open), 4);
    Ok(())
}

#[tokio::test]
async fn an_axum_application_answers_rejections_as_it_likes() -> Result<()> {
    let (vitals, _) = stopped_clock()?;
    let breaker = CircuitBreaker::builder("stock").consecutive_failures(1);
    let answer = async |error: BreakerError<Infallible>| match error {
        BreakerError::Rejected(rejected) => (StatusCode::TOO_MANY_REQUESTS, rejected.to_string()).into_response(),
        BreakerError::Inner(error) => match error {},
    };
    let layer = ServiceBuilder::new().layer(HandleErrorLayer::new(answer));
    let stock = Stock::default();
    stock.status.store(500, Ordering::SeqCst);
    let breaker = breaker.open_for(OpenFor::constant(OPEN));
    let addr = serve(stock.router().layer(layer.layer(in_front(breaker, &vitals)?))).await?;
    let mut client = Client::http2(addr).await?;
    assert_eq!(ask(&mut client).await?.status(), 500);
    let answer = ask(&mut client).await?;
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.text()?, "circuit breaker `stock` is open; try again in 30.0s");
    Ok(())
}
