//! gRPC, by a server and a client of tonic's: what the layer makes of each way in which a call can end.

mod http_common;

use std::net::SocketAddr;

use http::Request;
use http_body_util::Full;
use http_common::{LIMIT, Numbers, Seen, family, owned};
use tests::Result;
use tests::client::Client;
use tests::until::until_eq;
use tonic::Code;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Answer;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::{HealthReporter, health_reporter};
use tower_vitals::{MetricsLayer, Vitals};

/// The one service that is known to the health service, besides the empty name of the whole server.
const KNOWN: &str = "shop.Cart";

/// Calls of `Check` that its handler answered, in the counter and in the histogram.
const CHECKED: &str = "POST /grpc.health.v1.Health/Check 200 none completed";
const CHECK_TIMED: &str = "POST /grpc.health.v1.Health/Check 2xx";

/// A server that counts; it serves until the test's runtime ends.
struct Health {
    addr: SocketAddr,
    client: HealthClient<Channel>,
    reporter: HealthReporter,
    vitals: Vitals,
}

impl Health {
    async fn serve() -> Result<Self> {
        let vitals = Vitals::new();
        let (reporter, service) = health_reporter();
        reporter.set_service_status(KNOWN, ServingStatus::Serving).await;
        let calls = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let addr = calls.local_addr()?;
        let server = Server::builder().layer(MetricsLayer::new(&vitals)).add_service(service);
        tokio::spawn(server.serve_with_incoming(calls));
        let channel = Channel::from_shared(format!("http://{addr}"))?.connect().await?;
        Ok(Self {
            addr,
            client: HealthClient::new(channel),
            reporter,
            vitals,
        })
    }

    /// What the health service answers to a unary call.
    async fn check(&mut self, service: &str) -> Result<Answer, Code> {
        let answer = self.client.check(asking(service)).await;
        answer
            .map(|answer| answer.into_inner().status())
            .map_err(|status| status.code())
    }

    /// Begins a stream, reads two messages of it, and leaves in the middle.
    async fn watch_and_leave(&mut self) -> Result<()> {
        self.reporter.set_service_status(KNOWN, ServingStatus::Serving).await;
        let mut stream = self.client.watch(asking(KNOWN)).await?.into_inner();
        let first = stream.message().await?.ok_or("there is a first message")?;
        assert_eq!(first.status(), Answer::Serving);
        self.reporter.set_service_status(KNOWN, ServingStatus::NotServing).await;
        let second = stream.message().await?.ok_or("there is a second message")?;
        assert_eq!(second.status(), Answer::NotServing);
        assert_eq!(Seen::of(&self.vitals).in_flight, [("POST".to_owned(), 1)].into());
        drop(stream);
        Ok(())
    }

    /// Calls a path that tonic's client does not know, with an empty message; gives `grpc-status`.
    async fn call(&self, path: &str) -> Result<Option<String>> {
        let request = Request::post(path)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::from(&[0, 0, 0, 0, 0][..]))?;
        let answer = Client::http2(self.addr).await?.send(request).await?;
        assert_eq!(answer.status(), 200);
        Ok(answer.header("grpc-status").map(str::to_owned))
    }

    /// `grpc_requests_total` by service, method, code and outcome.
    fn calls(&self) -> Numbers {
        calls(&self.vitals)
    }

    fn streams(&self) -> Numbers {
        family(&self.vitals, "http_streams_in_flight", &["kind"])
    }

    fn ended_streams(&self) -> Numbers {
        family(
            &self.vitals,
            "http_stream_duration_seconds_count",
            &["method", "route", "kind"],
        )
    }

    /// Waits until these are the numbers of `http_requests_total`, with nothing in flight.
    async fn counts(&self, expected: &[(&str, u64)]) -> Result<()> {
        let seen = || {
            let seen = Seen::of(&self.vitals);
            (seen.requests, seen.in_flight)
        };
        until_eq(LIMIT, (owned(expected), Numbers::new()), seen).await
    }
}

fn asking(service: &str) -> HealthCheckRequest {
    let service = service.to_owned();
    HealthCheckRequest { service }
}

fn calls(vitals: &Vitals) -> Numbers {
    family(vitals, "grpc_requests_total", &["service", "method", "code", "outcome"])
}

#[tokio::test]
async fn a_unary_call_completes_with_its_trailers() -> Result<()> {
    let mut health = Health::serve().await?;
    for service in ["", KNOWN, KNOWN] {
        assert_eq!(health.check(service).await, Ok(Answer::Serving));
    }
    health.counts(&[(CHECKED, 3)]).await?;
    assert_eq!(Seen::of(&health.vitals).durations, owned(&[(CHECK_TIMED, 3)]));
    assert_eq!(health.streams(), Numbers::new());
    Ok(())
}

#[tokio::test]
async fn an_error_without_a_message_completes_with_its_head() -> Result<()> {
    let mut health = Health::serve().await?;
    assert_eq!(health.check("shop.Unknown").await, Err(Code::NotFound));
    health.counts(&[(CHECKED, 1)]).await?;
    assert_eq!(
        health.calls(),
        owned(&[("grpc.health.v1.Health Check NOT_FOUND completed", 1)])
    );
    Ok(())
}

#[tokio::test]
async fn a_stream_that_is_cancelled_is_aborted() -> Result<()> {
    let mut health = Health::serve().await?;
    health.watch_and_leave().await?;
    health.counts(&[("POST _unmatched 200 none aborted", 1)]).await?;
    assert_eq!(health.calls(), owned(&[("_unmatched _unmatched - aborted", 1)]));
    // The connection lives on.
    assert_eq!(health.check("").await, Ok(Answer::Serving));
    let both = [("POST _unmatched 200 none aborted", 1), (CHECKED, 1)];
    health.counts(&both).await
}

/// It is a stream from its second message on; a later call of the same method, from its head on.
#[tokio::test]
async fn a_call_of_several_messages_is_a_stream() -> Result<()> {
    let mut health = Health::serve().await?;
    let mut stream = health.client.watch(asking(KNOWN)).await?.into_inner();
    assert!(stream.message().await?.is_some());
    assert_eq!(health.streams(), Numbers::new(), "one message may be all");
    health.reporter.set_service_status(KNOWN, ServingStatus::NotServing).await;
    assert!(stream.message().await?.is_some());
    assert_eq!(health.streams(), owned(&[("grpc", 1)]));
    assert_eq!(health.ended_streams(), Numbers::new());
    drop(stream);
    until_eq(LIMIT, owned(&[("grpc", 0)]), || health.streams()).await?;
    assert_eq!(health.ended_streams(), owned(&[("POST _unmatched grpc", 1)]));

    // Only the answer that is no stream tells that the server has the method.
    assert!(health.client.watch(asking("shop.Unknown")).await.is_err());
    let mut stream = health.client.watch(asking(KNOWN)).await?.into_inner();
    assert!(stream.message().await?.is_some());
    health.reporter.set_service_status(KNOWN, ServingStatus::Serving).await;
    assert!(stream.message().await?.is_some());
    drop(stream);
    let of_watch = [("POST /grpc.health.v1.Health/Watch grpc", 1), ("POST _unmatched grpc", 1)];
    until_eq(LIMIT, owned(&of_watch), || health.ended_streams()).await?;
    let stream = health.client.watch(asking(KNOWN)).await?.into_inner();
    assert_eq!(health.streams(), owned(&[("grpc", 1)]), "it is known to stream");
    drop(stream);
    let of_watch = [("POST /grpc.health.v1.Health/Watch grpc", 2), ("POST _unmatched grpc", 1)];
    until_eq(LIMIT, owned(&of_watch), || health.ended_streams()).await?;

    let watched = "POST /grpc.health.v1.Health/Watch";
    let unknown = format!("{watched} 200 none completed");
    let left = format!("{watched} 200 none aborted");
    health
        .counts(&[(&unknown, 1), (&left, 2), ("POST _unmatched 200 none aborted", 1)])
        .await?;
    // The one that found nothing to watch is the only one with an ordinary duration.
    assert_eq!(Seen::of(&health.vitals).durations, owned(&[(&format!("{watched} 2xx"), 1)]));
    assert_eq!(health.streams(), owned(&[("grpc", 0)]));
    Ok(())
}

#[tokio::test]
async fn what_nobody_implements_is_counted() -> Result<()> {
    let health = Health::serve().await?;
    for path in ["/shop.Cart/Pay", "/grpc.health.v1.Health/Heal", "/", "/shop.Cart"] {
        assert_eq!(health.call(path).await?.as_deref(), Some("12"), "{path}");
    }
    health.counts(&[("POST _unmatched 200 none completed", 4)]).await
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_an_answer_too() -> Result<()> {
    let health = Health::serve().await?;
    let request = Request::post("/grpc.health.v1.Health/Check")
        .header("content-type", "application/grpc")
        .body(Full::from(&[0, 0, 0, 0, 1, 0xff][..]))?;
    let answer = Client::http2(health.addr).await?.send(request).await?;
    assert_eq!((answer.status().as_u16(), answer.header("grpc-status")), (200, Some("13")));
    health.counts(&[("POST _unmatched 200 none completed", 1)]).await
}

/// The calls by service, method, code and outcome.
#[tokio::test]
async fn calls_are_counted_by_code() -> Result<()> {
    let mut health = Health::serve().await?;
    assert_eq!(health.check("").await, Ok(Answer::Serving));
    assert_eq!(health.check(KNOWN).await, Ok(Answer::Serving));
    assert_eq!(health.check("shop.Unknown").await, Err(Code::NotFound));
    // The first answer of a handler makes a path known, which a watch that is left never gets.
    let unknown = health.client.watch(asking("shop.Unknown")).await;
    assert_eq!(unknown.map(drop).map_err(|status| status.code()), Err(Code::NotFound));
    health.watch_and_leave().await?;
    for path in ["/shop.Cart/Pay", "/grpc.health.v1.Health/Heal"] {
        assert_eq!(health.call(path).await?.as_deref(), Some("12"), "{path}");
    }
    let expected = owned(&[
        ("grpc.health.v1.Health Check OK completed", 2),
        ("grpc.health.v1.Health Check NOT_FOUND completed", 1),
        ("grpc.health.v1.Health Watch NOT_FOUND completed", 1),
        ("grpc.health.v1.Health Watch - aborted", 1),
        ("_unmatched _unmatched UNIMPLEMENTED completed", 2),
    ]);
    until_eq(LIMIT, expected, || health.calls()).await
}

/// Inside of axum the template tells the service, so an unknown method of it does, too; a stranger's service never does.
#[tokio::test]
async fn a_router_inside_knows_services_before_anybody_answered() -> Result<()> {
    let vitals = Vitals::new();
    let (_reporter, service) = health_reporter();
    let router = tonic::service::Routes::new(service).into_axum_router();
    let server = tests::server::Server::start(router.layer(MetricsLayer::new(&vitals))).await?;
    let mut client = Client::http2(server.addr()).await?;
    for (path, status) in [
        ("/grpc.health.v1.Health/Heal", "12"),
        ("/grpc.health.v1.Health/Check", "0"),
        ("/grpc.health.v1.Heal/Check", "12"),
    ] {
        let request = Request::post(path).header("content-type", "application/grpc+proto");
        let answer = client.send(request.body(Full::from(&[0, 0, 0, 0, 0][..]))?).await?;
        let trailers = answer.trailers.as_ref().and_then(|trailers| trailers.get("grpc-status"));
        let found = trailers.map_or(answer.header("grpc-status"), |value| value.to_str().ok());
        assert_eq!(found, Some(status), "{path}");
    }
    let expected = owned(&[
        ("grpc.health.v1.Health Check OK completed", 1),
        ("grpc.health.v1.Health _unmatched UNIMPLEMENTED completed", 1),
        ("_unmatched _unmatched UNIMPLEMENTED completed", 1),
    ]);
    until_eq(LIMIT, expected, || calls(&vitals)).await?;
    let routes = [
        ("POST /grpc.health.v1.Health/{*rest} 200 none completed", 2),
        ("POST _unmatched 200 none completed", 1),
    ];
    assert_eq!(Seen::of(&vitals).requests, owned(&routes));
    Ok(())
}
