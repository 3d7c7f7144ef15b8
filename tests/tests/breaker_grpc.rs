//! A breaker around a channel of tonic's, under tonic's own client: calls are judged by their status, wherever it stands.

use std::{net::SocketAddr, pin::Pin};

use tests::Result;
use tonic::{
    Code, Request, Response, Status, async_trait,
    codegen::tokio_stream::{Stream, iter},
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};
use tower::Layer;
use tower_vitals::{
    CircuitBreaker, CircuitBreakerLayer, Vitals,
    breaker::{AtBodyEnd, CircuitBreakerService, GrpcClassifier, Outcome, State, find_rejection},
};

/// Ends a call with the code that it is asked about, at once or after a message.
struct Ends;

type Message = Result<HealthCheckResponse, Status>;

#[async_trait]
impl Health for Ends {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        asked(&request).map(Response::new)
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Message> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let messages = [Ok(serving()), asked(&request)];
        Ok(Response::new(Box::pin(iter(messages))))
    }
}

fn asked(request: &Request<HealthCheckRequest>) -> Message {
    match request.get_ref().service.as_str() {
        "" => Ok(serving()),
        "unavailable" => Err(Status::unavailable("on purpose")),
        "not found" => Err(Status::not_found("on purpose")),
        "deadline" => Err(Status::deadline_exceeded("on purpose")),
        "cancelled" => Err(Status::cancelled("on purpose")),
        other => Err(Status::unimplemented(other)),
    }
}

fn serving() -> HealthCheckResponse {
    let status = ServingStatus::Serving.into();
    HealthCheckResponse { status }
}

type Guarded = CircuitBreakerService<Channel, AtBodyEnd<GrpcClassifier>>;

/// A client with a breaker that opens at the second failure in a row.
struct Shop {
    client: HealthClient<Guarded>,
    breaker: CircuitBreaker,
}

impl Shop {
    fn new(addr: SocketAddr) -> Result<Self> {
        let breaker = CircuitBreaker::builder("health")
            .consecutive_failures(2)
            .build(&Vitals::new())?;
        let channel = Channel::from_shared(format!("http://{addr}"))?.connect_lazy();
        let layer = CircuitBreakerLayer::new(breaker.clone()).classify_bodies(GrpcClassifier::new());
        let client = HealthClient::new(layer.layer(channel));
        Ok(Self { client, breaker })
    }

    async fn check(&mut self, service: &str) -> Result<(), Status> {
        self.client.check(asking(service)).await.map(drop)
    }

    /// Reads a stream to its end; gives how many messages came.
    async fn watch(&mut self, service: &str) -> (u32, Result<(), Status>) {
        let mut stream = match self.client.watch(asking(service)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return (0, Err(status)),
        };
        for messages in 0.. {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return (messages, Ok(())),
                Err(status) => return (messages, Err(status)),
            }
        }
        unreachable!("streams end")
    }

    fn calls(&self, outcome: Outcome) -> u64 {
        self.breaker.status().calls(outcome)
    }
}

fn asking(service: &str) -> HealthCheckRequest {
    let service = service.to_owned();
    HealthCheckRequest { service }
}

fn code(result: Result<(), Status>) -> Code {
    result.err().map_or(Code::Ok, |status| status.code())
}

/// It serves until the test's runtime ends.
fn serve() -> Result<SocketAddr> {
    let calls = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let addr = calls.local_addr()?;
    let server = Server::builder().add_service(HealthServer::new(Ends));
    tokio::spawn(server.serve_with_incoming(calls));
    Ok(addr)
}

#[tokio::test]
async fn what_the_server_did_is_no_failure() -> Result<()> {
    let mut shop = Shop::new(serve()?)?;
    assert_eq!(code(shop.check("").await), Code::Ok);
    assert_eq!(code(shop.check("not found").await), Code::NotFound);
    assert_eq!(code(shop.check("not found").await), Code::NotFound);
    assert_eq!(code(shop.check("other").await), Code::Unimplemented);
    let (messages, end) = shop.watch("not found").await;
    assert_eq!((messages, code(end)), (1, Code::NotFound), "in the trailers");
    let (messages, end) = shop.watch("").await;
    assert_eq!((messages, code(end)), (2, Code::Ok));
    assert_eq!((shop.calls(Outcome::Success), shop.breaker.state()), (6, State::Closed));
    assert_eq!(code(shop.check("cancelled").await), Code::Cancelled);
    assert_eq!(shop.calls(Outcome::Ignored), 1);
    Ok(())
}

#[tokio::test]
async fn a_status_in_the_trailers_opens() -> Result<()> {
    let mut shop = Shop::new(serve()?)?;
    for failures in 1..=2 {
        let (messages, end) = shop.watch("unavailable").await;
        assert_eq!((messages, code(end)), (1, Code::Unavailable));
        assert_eq!(shop.calls(Outcome::Failure), failures);
    }
    assert_eq!((shop.breaker.state(), shop.calls(Outcome::Success)), (State::Open, 0));
    let rejected = shop.check("").await.expect_err("the breaker is open");
    let found = find_rejection(&rejected).map(|rejected| rejected.breaker().to_owned());
    assert_eq!(found.as_deref(), Some("health"), "through tonic's own error: {rejected:?}");
    Ok(())
}

#[tokio::test]
async fn a_status_in_the_head_opens() -> Result<()> {
    let mut shop = Shop::new(serve()?)?;
    assert_eq!(code(shop.check("unavailable").await), Code::Unavailable);
    assert_eq!(code(shop.check("deadline").await), Code::DeadlineExceeded);
    assert_eq!((shop.calls(Outcome::Failure), shop.calls(Outcome::Timeout)), (1, 1));
    assert_eq!(shop.breaker.state(), State::Open);
    Ok(())
}

#[tokio::test]
async fn a_stream_that_is_left_is_neutral() -> Result<()> {
    let mut shop = Shop::new(serve()?)?;
    for _ in 0..3 {
        let mut stream = shop.client.watch(asking("unavailable")).await?.into_inner();
        assert!(stream.message().await?.is_some());
        drop(stream);
    }
    assert_eq!((shop.calls(Outcome::Cancelled), shop.breaker.state()), (3, State::Closed));
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_opens() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let addr = taken.local_addr()?;
    drop(taken);
    let mut shop = Shop::new(addr)?;
    for _ in 0..2 {
        assert_eq!(code(shop.check("").await), Code::Unavailable);
    }
    assert_eq!((shop.calls(Outcome::Failure), shop.breaker.state()), (2, State::Open));
    Ok(())
}
