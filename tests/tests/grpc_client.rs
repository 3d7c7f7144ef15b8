//! The layer around a channel of tonic's, under tonic's own client.

mod http_common;

use std::net::SocketAddr;

use http_common::Seen;
use http_common::sent::Sent;
use tests::Result;
use tonic::Code;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::health_reporter;
use tower::Layer;
use tower_vitals::{ClientMetricsLayer, Metrics, Vitals};

fn client(addr: SocketAddr, vitals: &Vitals) -> Result<HealthClient<Metrics<Channel>>> {
    let channel = Channel::from_shared(format!("http://{addr}"))?.connect_lazy();
    let layer = ClientMetricsLayer::new(vitals, "health");
    Ok(HealthClient::new(layer.layer(channel)))
}

fn asking(service: &str) -> HealthCheckRequest {
    let service = service.to_owned();
    HealthCheckRequest { service }
}

/// A call that the service refuses completes: the status of HTTP is 200, and its own comes in the head or the trailers.
#[tokio::test]
async fn calls_end_as_http_has_it() -> Result<()> {
    // It serves until the test's runtime ends.
    let (_reporter, service) = health_reporter();
    let calls = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let addr = calls.local_addr()?;
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(calls));
    let vitals = Vitals::new();
    let mut client = client(addr, &vitals)?;

    let answer = client.check(asking("")).await?.into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let unknown = client.check(asking("shop.Unknown")).await;
    assert_eq!(unknown.map(drop).map_err(|status| status.code()), Err(Code::NotFound));
    let completed = [("POST health 200 completed", 2)];
    Sent::ended(&completed, &[("POST health 2xx", 2)]).settles(&vitals).await?;

    let mut stream = client.watch(asking("")).await?.into_inner();
    let first = stream.message().await?.ok_or("there is a first message")?;
    assert_eq!(first.status(), ServingStatus::Serving);
    assert_eq!(Sent::of(&vitals).in_flight, Sent::one_in_flight("POST").in_flight);
    drop(stream);
    let requests = [completed[0], ("POST health 200 aborted", 1)];
    Sent::ended(&requests, &[("POST health 2xx", 3)]).settles(&vitals).await?;
    assert_eq!(Seen::of(&vitals), Seen::default(), "it serves nothing");
    Ok(())
}

#[tokio::test]
async fn a_call_without_a_server_fails() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let addr = taken.local_addr()?;
    drop(taken);
    let vitals = Vitals::new();
    let refused = client(addr, &vitals)?.check(asking("")).await;
    assert_eq!(refused.map(drop).map_err(|status| status.code()), Err(Code::Unavailable));
    Sent::ended(&[("POST health - failed", 1)], &[("POST health -", 1)])
        .settles(&vitals)
        .await
}
