//! A gRPC server of tonic's, counted by the layer; its metrics have a port of their own, over HTTP/1.
//!
//! ```text
//! cargo run --example tonic_server             serves on 127.0.0.1:50051, the metrics on 127.0.0.1:3000
//! ADDR=127.0.0.1:0 GRPC_ADDR=127.0.0.1:0 cargo run --example tonic_server      serves both on any free ports
//! ```
//!
//! It serves gRPC's health service, which every gRPC tool can ask:
//!
//! ```text
//! grpcurl -plaintext -d '{"service": "shop.Cart"}' 127.0.0.1:50051 grpc.health.v1.Health/Check
//! ```

use std::{env, error::Error, time::Duration};

use axum::Router;
use futures_util::FutureExt;
use tokio::{net::TcpListener, time::sleep};
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::{ServingStatus, server::health_reporter};
use tower_vitals::{MetricsLayer, MetricsRoute, Vitals};

/// How long open calls may take to end once the server stops; a watch of somebody's health does not end by itself.
const GRACE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let vitals = Vitals::new();
    // The reporter tells, at any time, how a service is.
    let (reporter, health) = health_reporter();
    reporter.set_service_status("shop.Cart", ServingStatus::Serving).await;

    let metrics = TcpListener::bind(address("ADDR", "127.0.0.1:3000")).await?;
    let calls = TcpIncoming::bind(address("GRPC_ADDR", "127.0.0.1:50051").parse()?)?.with_nodelay(Some(true));
    println!("http://{}/metrics", metrics.local_addr()?);
    println!("gRPC at {}; Ctrl-C stops", calls.local_addr()?);

    let stop = tokio::signal::ctrl_c().map(drop).shared();
    // The layer is outside of every service that is added, and of what tonic answers where there is none.
    let server = Server::builder()
        .layer(MetricsLayer::new(&vitals))
        .add_service(health)
        .serve_with_incoming_shutdown(calls, stop.clone());
    let scrapes = Router::new().route_service("/metrics", MetricsRoute::new(&vitals));
    let scrapes = axum::serve(metrics, scrapes).with_graceful_shutdown(stop.clone());
    let both = async {
        let (served, scraped) = tokio::join!(server, scrapes);
        served?;
        scraped?;
        Ok(())
    };
    tokio::select! {
        ended = both => ended,
        // Who holds a stream open does not hold the server.
        () = stop.then(|()| sleep(GRACE)) => Ok(()),
    }
}

fn address(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}
