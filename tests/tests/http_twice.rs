//! A request is counted once by each Vitals, wherever its layers stand, and
//! keeps its route.

mod http_common;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use http_body_util::BodyExt;
use http_common::{Seen, counts_four};
use tests::Result;
use tests::server::Server;
use tower::{Layer, ServiceExt};
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
async fn a_route_that_the_budget_refused_gives_way_to_the_one_inside() -> Result<()> {
    // One value is `_unmatched`, so there is room for one route, which the template takes.
    let vitals = Vitals::builder().label_budget(2).build()?;
    let told = MetricsLayer::builder(&vitals).route_with(|request| request.uri.query().map(Into::into));
    let app = Router::new().route("/x/{id}", get(hello)).layer(MetricsLayer::new(&vitals));
    let service = told.build()?.layer(app);
    for path in ["/x/7", "/x/7?refused"] {
        let response = service.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
        response.into_body().collect().await?;
    }
    let seen = Seen::ended(&[("GET /x/{id} 200 none completed", 2)], &[("GET /x/{id} 2xx", 2)]);
    assert_eq!(Seen::of(&vitals), seen);
    Ok(())
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
