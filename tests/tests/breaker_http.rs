//! A breaker around hyper-util's client, over real TCP: calls are judged by the last bytes of their responses.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tests::{
    Result,
    body::{Gate, ScriptedBody},
    server::Server,
    until::until_eq,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower::{Layer, Service, ServiceExt};
use tower_vitals::{
    BreakerError, CircuitBreaker, CircuitBreakerLayer, Clock, ManualClock, Vitals,
    breaker::{
        AtBodyEnd, BreakerBody, ByResult, CircuitBreakerService, HttpClassifier, OneBreaker, OpenFor, Outcome, Rejected, State,
    },
};

const LIMIT: Duration = Duration::from_secs(10);

const OPEN: Duration = Duration::from_secs(30);

fn stopped_clock() -> Result<(Vitals, ManualClock)> {
    let clock = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&clock)).build()?;
    Ok((vitals, clock))
}

type HttpClient = legacy::Client<HttpConnector, Empty<Bytes>>;

/// A client with a breaker around it.
struct Shop {
    addr: SocketAddr,
    service: CircuitBreakerService<HttpClient, AtBodyEnd<HttpClassifier>, OneBreaker>,
    breaker: CircuitBreaker,
}

type Body = BreakerBody<hyper::body::Incoming, ByResult>;

impl Shop {
    fn new(addr: SocketAddr, is_http2: bool, breaker: CircuitBreaker) -> Self {
        let client = legacy::Client::builder(TokioExecutor::new())
            .http2_only(is_http2)
            .build_http();
        let layer = CircuitBreakerLayer::new(breaker.clone()).classify_bodies(HttpClassifier::new());
        let service = layer.layer(client);
        Self { addr, service, breaker }
    }

    async fn head(&mut self, path: &str) -> Result<Response<Body>, BreakerError<legacy::Error>> {
        let request = Request::get(format!("http://{}{path}", self.addr)).body(Empty::new());
        let request = request.expect("paths are valid");
        self.service.ready().await?.call(request).await
    }

    /// The length of the whole body.
    async fn whole(&mut self, path: &str) -> Result<usize> {
        Ok(self.head(path).await?.into_body().collect().await?.to_bytes().len())
    }

    /// The ends of calls that there were, and how often each was.
    fn ends(&self) -> Vec<(Outcome, u64)> {
        let status = self.breaker.status();
        let outcomes = [
            Outcome::Success,
            Outcome::Failure,
            Outcome::Timeout,
            Outcome::Cancelled,
            Outcome::Stale,
        ];
        let counts = outcomes.map(|outcome| (outcome, status.calls(outcome)));
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

async fn answer(request: Request<hyper::body::Incoming>) -> Response<ScriptedBody> {
    let body = ScriptedBody::new();
    let (status, body) = match request.uri().path() {
        "/whole" => (200, body.data("half").data("half")),
        "/breaks" => (200, body.data("half").error("on purpose")),
        "/endless" => (200, body.data("half").wait(&Gate::default())),
        "/502" => (502, body.data("down")),
        "/504" => (504, body),
        "/429" => (429, body.data("later")),
        _ => (404, body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    if status == 429 {
        response.headers_mut().insert("retry-after", HeaderValue::from_static("7"));
    }
    response
}

#[tokio::test]
async fn a_client_s_calls_are_judged_by_their_last_byte() -> Result<()> {
    let server = Server::start_fn(answer).await?;
    for is_http2 in [false, true] {
        let breaker = CircuitBreaker::builder("stock").consecutive_failures(100);
        let mut shop = Shop::new(server.addr(), is_http2, breaker.build(&Vitals::new())?);
        let head = shop.head("/whole").await?;
        assert_eq!(shop.ends(), [], "the body is still to come");
        assert_eq!(head.into_body().collect().await?.to_bytes().len(), 8);
        assert_eq!(shop.ends(), [(Outcome::Success, 1)]);
        assert_eq!(shop.whole("/404").await?, 0, "that is no failure");
        assert_eq!(shop.ends(), [(Outcome::Success, 2)]);

        drop(shop.head("/502").await?);
        assert!(shop.whole("/breaks").await.is_err());
        assert_eq!(shop.ends(), [(Outcome::Success, 2), (Outcome::Failure, 2)]);
        shop.whole("/504").await?;
        shop.whole("/429").await?;
        let expected = [(Outcome::Success, 2), (Outcome::Failure, 3), (Outcome::Timeout, 1)];
        assert_eq!(shop.ends(), expected);

        let mut endless = shop.head("/endless").await?.into_body();
        assert!(endless.frame().await.is_some_and(|frame| frame.is_ok()));
        assert_eq!(shop.ends(), expected);
        drop(endless);
        assert_eq!(shop.ends()[3..], [(Outcome::Cancelled, 1)], "HTTP/2: {is_http2}");
        assert_eq!(shop.ends()[..3], expected, "it is neutral");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_s_calls_without_an_answer_are_failures() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0").await?;
    let refusing = taken.local_addr()?;
    drop(taken);
    for is_http2 in [false, true] {
        let breaker = CircuitBreaker::builder("stock")
            .consecutive_failures(2)
            .build(&Vitals::new())?;
        let mut shop = Shop::new(refusing, is_http2, breaker);
        for _ in 0..2 {
            let refused = shop.head("/").await.map(drop);
            assert!(matches!(refused, Err(BreakerError::Inner(error)) if error.is_connect()));
        }
        assert!(shop.head("/").await.is_err_and(|error| error.is_rejected()));
        assert_eq!(
            (shop.breaker.state(), shop.ends()),
            (State::Open, vec![(Outcome::Failure, 2)])
        );
    }
    Ok(())
}

/// Answers each connection with a head that announces more bytes than come, and closes it.
async fn serve_short_bodies() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
        }
    });
    Ok(addr)
}

#[tokio::test]
async fn bodies_that_are_too_short_open_a_client_s_breaker() -> Result<()> {
    let (vitals, clock) = stopped_clock()?;
    let breaker = CircuitBreaker::builder("stock").consecutive_failures(2);
    let breaker = breaker.open_for(OpenFor::constant(OPEN)).build(&vitals)?;
    let mut shop = Shop::new(serve_short_bodies().await?, false, breaker);
    for failures in 1..=2 {
        let head = shop.head("/").await?;
        assert_eq!((head.status(), shop.breaker.state()), (StatusCode::OK, State::Closed));
        assert!(head.into_body().collect().await.is_err());
        assert_eq!(shop.ends(), [(Outcome::Failure, failures)]);
    }
    assert!(shop.head("/").await.is_err_and(|error| error.is_rejected()));

    // Three bytes are enough for a probe.
    clock.advance(OPEN);
    assert!(shop.whole("/").await.is_err());
    until_eq(LIMIT, State::Closed, || shop.breaker.state()).await?;
    Ok(())
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is() -> Result<()> {
    let server = Server::start_fn(answer).await?;
    for is_http2 in [false, true] {
        let (vitals, clock) = stopped_clock()?;
        let breaker = CircuitBreaker::builder("stock")
            .failure_rate(1.0)
            .consecutive_failures(2)
            .minimum_calls(4);
        let breaker = breaker.open_for(OpenFor::constant(Duration::from_secs(1))).build(&vitals)?;
        let mut shop = Shop::new(server.addr(), is_http2, breaker);
        for _ in 0..3 {
            assert_eq!(shop.whole("/429").await?, 5);
        }
        assert_eq!(shop.breaker.state(), State::Closed, "three soft failures in a row are no row");
        assert_eq!(shop.whole("/429").await?, 5);
        let rejected = shop.head("/whole").await.map(drop);
        let wait = rejected
            .as_ref()
            .err()
            .and_then(BreakerError::rejection)
            .map(Rejected::retry_after);
        assert_eq!(wait, Some(Some(Duration::from_secs(7))));
        clock.advance(Duration::from_millis(6_999));
        assert!(shop.head("/whole").await.is_err_and(|error| error.is_rejected()));
        clock.advance(Duration::from_millis(1));
        assert_eq!(shop.whole("/whole").await?, 8);
        assert_eq!(shop.breaker.state(), State::Closed);
    }
    Ok(())
}
