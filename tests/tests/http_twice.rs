//! A request is counted once by each Vitals, wherever its layers stand, and
//! keeps its route.

mod http_common;

use axum::Router;
use axum::routing::get;
use http::Request;
use http_common::counts_four;
use tests::Result;
use tests::server::Server;
use tower::Layer;
use tower_vitals::{MetricsLayer, Vitals, tag_route};

async fn hello() -> &'static str {
    "hello"
}

#[tokio::test]
async fn layered_twice_counts_once() -> Result<()> {
    let vitals = Vitals::new();
    let inner = Router::new()
        .route("/x/{id}", get(hello))
        .layer(MetricsLayer::new(&vitals))
        .layer(MetricsLayer::new(&vitals));
    let app = Router::new().nest("/nest", inner).layer(MetricsLayer::new(&vitals));
    let server = Server::start(app).await?;
    counts_four(&server, &[&vitals], "/nest/x/7", "/nest/x/{id}", 200).await
}

#[tokio::test]
async fn a_layer_outside_of_the_router_takes_the_template_of_the_one_inside() -> Result<()> {
    let vitals = Vitals::new();
    let app = Router::new().route("/x/{id}", get(hello)).layer(MetricsLayer::new(&vitals));
    let server = Server::start(MetricsLayer::new(&vitals).layer(app)).await?;
    counts_four(&server, &[&vitals], "/x/7", "/x/{id}", 200).await?;

    let vitals = Vitals::new();
    let tagged = Router::new().route(
        "/x/{id}",
        get(async || {
            tag_route("/tagged");
        }),
    );
    let app = tagged.layer(MetricsLayer::new(&vitals));
    let server = Server::start(MetricsLayer::new(&vitals).layer(app)).await?;
    counts_four(&server, &[&vitals], "/x/7", "/tagged", 200).await?;

    let vitals = Vitals::new();
    let app = Router::new().route("/x/{id}", get(hello));
    let server = Server::start(MetricsLayer::new(&vitals).layer(app)).await?;
    counts_four(&server, &[&vitals], "/x/7", "_unmatched", 200).await
}

#[tokio::test]
async fn a_layer_inside_overrides_neither_a_route_nor_a_tag() -> Result<()> {
    let vitals = Vitals::new();
    let told = MetricsLayer::builder(&vitals).route_with(|_| Some("/told".into()));
    let app = Router::new().route("/x/{id}", get(hello)).layer(MetricsLayer::new(&vitals));
    let server = Server::start(told.build()?.layer(app)).await?;
    counts_four(&server, &[&vitals], "/x/7", "/told", 200).await?;

    let vitals = Vitals::new();
    let app = Router::new().route("/x/{id}", get(hello)).layer(MetricsLayer::new(&vitals));
    let tagging = tower::util::MapRequestLayer::new(|request: Request<_>| {
        tag_route("/tagged");
        request
    });
    let server = Server::start(MetricsLayer::new(&vitals).layer(tagging.layer(app))).await?;
    counts_four(&server, &[&vitals], "/x/7", "/tagged", 200).await
}

#[tokio::test]
async fn two_vitals_each_count_once() -> Result<()> {
    let (left, right) = (Vitals::new(), Vitals::new());
    let app = Router::new()
        .route("/x/{id}", get(hello))
        .layer(MetricsLayer::new(&left))
        .layer(MetricsLayer::new(&right))
        .layer(MetricsLayer::new(&left));
    let server = Server::start(app).await?;
    counts_four(&server, &[&left, &right], "/x/7", "/x/{id}", 200).await
}
