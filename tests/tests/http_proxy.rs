//! A reverse proxy counts what it serves and what it sends, each once.

mod http_common;

use axum::{Router, body::Body, extract::Request, response::Response, routing::get};
use bytes::Bytes;
use http::{StatusCode, Uri};
use http_common::sent::{Sent, hyper};
use http_common::{BOTH, LIMIT, Seen};
use tests::body::{Gate, ScriptedBody};
use tests::client::get as get_request;
use tests::server::Server;
use tests::until::until_eq;
use tests::{BoxError, Result};
use tower::{Layer, Service, ServiceExt};
use tower_vitals::{ClientMetricsLayer, MetricsLayer, Vitals};

const PROXIED: &str = "/proxied/{*path}";

/// A service behind the proxy: a short answer, and one that waits within its body.
fn upstream(vitals: &Vitals, gate: &Gate) -> Router {
    let gate = gate.clone();
    let stream = move || {
        let body = ScriptedBody::new().data("first").wait(&gate).data("second");
        std::future::ready(Response::new(Body::new(body.hides_end())))
    };
    Router::new()
        .route("/users/{id}", get(async || "hello"))
        .route("/stream", get(stream))
        .layer(MetricsLayer::new(vitals))
}

/// Sends on what it gets as it is, extensions and all, but for the address and the first part of the path.
fn proxy<S, B>(vitals: &Vitals, client: S, authority: &str) -> Router
where
    S: Service<Request, Response = http::Response<B>, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let client = ClientMetricsLayer::new(vitals, "users").layer(client);
    let authority = authority.to_owned();
    let forward = move |mut request: Request| {
        let client = client.clone();
        let path = request.uri().path().trim_start_matches("/proxied").to_owned();
        let uri = Uri::builder().scheme("http").authority(&*authority).path_and_query(path);
        async move {
            assert!(request.extensions().get::<axum::extract::MatchedPath>().is_some());
            *request.uri_mut() = uri.build().expect("it is a URI");
            *request.version_mut() = http::Version::HTTP_11;
            match client.oneshot(request).await {
                Ok(response) => Ok(response.map(Body::new)),
                Err(_) => Err(StatusCode::BAD_GATEWAY),
            }
        }
    };
    Router::new().route(PROXIED, get(forward)).layer(MetricsLayer::new(vitals))
}

/// What a Vitals has of server requests and of client requests when each ended as told.
fn both(served: &[(&str, &str)], sent: &str, ending: &str, class: &str) -> (Seen, Sent) {
    let (mut seen, mut out) = (Seen::default(), Sent::default());
    for (route, ending) in served {
        seen.requests.insert(format!("GET {route} {ending}"), 2);
        seen.durations.insert(format!("GET {route} {class}"), 2);
    }
    if !sent.is_empty() {
        out.requests.insert(format!("GET {sent} {ending}"), 2);
        out.durations.insert(format!("GET {sent} {class}"), 2);
    }
    (seen, out)
}

fn all_of(vitals: &Vitals) -> (Seen, Sent) {
    (Seen::of(vitals), Sent::of(vitals))
}

/// Asks once over each version.
async fn ask(server: &Server, path: &str) -> Result<()> {
    for version in BOTH {
        let answer = version.connect(server.addr()).await?.send(get_request(path)).await?;
        assert_eq!((answer.status(), answer.text()?), (StatusCode::OK, "hello"));
    }
    Ok(())
}

#[tokio::test]
async fn each_side_counts_once() -> Result<()> {
    let (proxied, behind) = (Vitals::new(), Vitals::new());
    let upstream = Server::start(upstream(&behind, &Gate::new())).await?;
    let proxy = Server::start(proxy(&proxied, hyper(false), &upstream.addr().to_string())).await?;
    ask(&proxy, "/proxied/users/7").await?;
    let ok = "200 none completed";
    let expected = both(&[(PROXIED, ok)], "users", "200 completed", "2xx");
    until_eq(LIMIT, expected, || all_of(&proxied)).await?;
    let expected = both(&[("/users/{id}", ok)], "", "", "2xx");
    until_eq(LIMIT, expected, || all_of(&behind)).await
}

#[tokio::test]
async fn proxy_and_upstream_may_share_a_vitals() -> Result<()> {
    let vitals = Vitals::new();
    let upstream = Server::start(upstream(&vitals, &Gate::new())).await?;
    let proxy = Server::start(proxy(&vitals, hyper(false), &upstream.addr().to_string())).await?;
    ask(&proxy, "/proxied/users/7").await?;
    let ok = "200 none completed";
    let expected = both(&[(PROXIED, ok), ("/users/{id}", ok)], "users", "200 completed", "2xx");
    until_eq(LIMIT, expected, || all_of(&vitals)).await
}

#[tokio::test]
async fn who_leaves_the_proxy_leaves_the_upstream() -> Result<()> {
    let vitals = Vitals::new();
    let upstream = Server::start(upstream(&vitals, &Gate::new())).await?;
    let proxy = Server::start(proxy(&vitals, hyper(false), &upstream.addr().to_string())).await?;
    for version in BOTH {
        let mut client = version.connect(proxy.addr()).await?;
        let mut exchange = client.start(get_request("/proxied/stream")).await?;
        let first = exchange.frame().await?.ok_or("there is a frame")?;
        assert_eq!(first.into_data().ok(), Some(Bytes::from("first")));
        let (served, sent) = all_of(&vitals);
        assert_eq!((served.in_flight["GET"], sent.in_flight["GET"]), (2, 1));
        exchange.vanish().await;
        let gone = || Seen::of(&vitals).in_flight.is_empty() && Sent::of(&vitals).in_flight.is_empty();
        until_eq(LIMIT, true, gone).await?;
    }
    let left = "200 none aborted";
    let expected = both(&[(PROXIED, left), ("/stream", left)], "users", "200 aborted", "2xx");
    assert_eq!(all_of(&vitals), expected);
    Ok(())
}

#[tokio::test]
async fn an_upstream_that_is_away_failed_and_the_proxy_answered() -> Result<()> {
    let vitals = Vitals::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let addr = taken.local_addr()?.to_string();
    drop(taken);
    let proxy = Server::start(proxy(&vitals, hyper(false), &addr)).await?;
    for version in BOTH {
        let answer = version
            .connect(proxy.addr())
            .await?
            .send(get_request("/proxied/users/7"))
            .await?;
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    }
    let mut expected = both(&[(PROXIED, "502 none completed")], "users", "- failed", "5xx");
    expected.1.durations = [("GET users -".to_owned(), 2)].into();
    until_eq(LIMIT, expected, || all_of(&vitals)).await
}

/// The upstream's requests are part of the proxy's, where both are served by the same Vitals.
#[tokio::test]
async fn an_upstream_in_process_is_part_of_the_proxys_request() -> Result<()> {
    let vitals = Vitals::new();
    let proxy = Server::start(proxy(&vitals, upstream(&vitals, &Gate::new()), "users.example")).await?;
    ask(&proxy, "/proxied/users/7").await?;
    let expected = both(&[(PROXIED, "200 none completed")], "users", "200 completed", "2xx");
    until_eq(LIMIT, expected, || all_of(&vitals)).await
}

#[tokio::test]
async fn an_upstream_in_process_with_a_vitals_of_its_own_counts_itself() -> Result<()> {
    let (proxied, behind) = (Vitals::new(), Vitals::new());
    let upstream = upstream(&behind, &Gate::new());
    // Where it finds the template of another router, axum takes itself for nested: `/proxied/{*path}/users/{id}`.
    let forgets = upstream.map_request(|mut request: Request| {
        request.extensions_mut().clear();
        request
    });
    let proxy = Server::start(proxy(&proxied, forgets, "users.example")).await?;
    ask(&proxy, "/proxied/users/7").await?;
    let ok = "200 none completed";
    let expected = both(&[(PROXIED, ok)], "users", "200 completed", "2xx");
    until_eq(LIMIT, expected, || all_of(&proxied)).await?;
    let expected = both(&[("/users/{id}", ok)], "", "", "2xx");
    until_eq(LIMIT, expected, || all_of(&behind)).await
}
