//! Breakers that requests have by their keys.

use std::{borrow::Cow, future::ready, task::Context};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request},
    http::StatusCode,
    routing::get,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_vitals_breaker::{
    CircuitBreaker, CircuitBreakerLayer, CircuitBreakers, KeyedBreakers, Mode, State, UnavailableLayer, key,
};
use tower_vitals_core::{Clock, Vitals};

use super::{Gate, Strict, is_rejected, tally, waker};

fn set(budget: usize) -> (KeyedBreakers, Vitals) {
    let vitals = Vitals::builder().clock(Clock::tokio()).build().unwrap();
    let builder = CircuitBreaker::builder("set").consecutive_failures(1);
    (builder.keyed(&vitals, budget).unwrap(), vitals)
}

fn names(vitals: &Vitals) -> Vec<String> {
    let list = CircuitBreakers::of(vitals).list();
    list.into_iter().map(|status| status.name).collect()
}

fn to(url: &str) -> http::Request<()> {
    http::Request::get(url).body(()).unwrap()
}

/// Fails where the path says so.
async fn answer(request: http::Request<()>) -> Result<(), &'static str> {
    if request.uri().path() == "/fails" {
        Err("no route")
    } else {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn each_host_has_its_own() {
    let (set, vitals) = set(10);
    let service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(set.by(key::host)))
        .service(service_fn(answer));
    let call = |url: &str| service.clone().oneshot(to(url));
    assert!(call("http://eu.example/fails").await.is_err());
    assert!(is_rejected(&call("http://EU.Example:8080/").await), "it is the same host");
    assert!(call("http://us.example/").await.is_ok());
    assert_eq!(names(&vitals), ["set/eu.example", "set/us.example"]);
    assert_eq!(tally(&set.get("eu.example")), [("failure", 1), ("open", 1)]);
    assert_eq!(tally(&set.get("us.example")), [("success", 1)]);
}

#[tokio::test(start_paused = true)]
async fn requests_without_a_key_all_go_through() {
    let (set, vitals) = set(10);
    let service = CircuitBreakerLayer::new(set.by(key::authority)).layer(service_fn(answer));
    for _ in 0..3 {
        assert_eq!(
            service.clone().oneshot(to("/fails")).await.unwrap_err().into_inner(),
            Some("no route")
        );
    }
    assert_eq!(names(&vitals), ["set/_other"]);
    let other = set.other();
    assert_eq!((other.state(), other.mode()), (State::Closed, Mode::Disabled));
    assert_eq!(tally(&other), [("failure", 3)]);
    other.force_open();
    assert!(is_rejected(&service.oneshot(to("/")).await), "it obeys orders as others do");
}

#[derive(Clone)]
struct Tenant(&'static str);

impl AsRef<str> for Tenant {
    fn as_ref(&self) -> &str {
        self.0
    }
}

#[tokio::test(start_paused = true)]
async fn each_value_of_an_extension_has_its_own() {
    let (set, _vitals) = set(10);
    let service = CircuitBreakerLayer::new(set.by(key::extension::<Tenant, _>)).layer(service_fn(answer));
    let call = |tenant, path| {
        let mut request = to(path);
        request.extensions_mut().insert(Tenant(tenant));
        service.clone().oneshot(request)
    };
    assert!(call("acme", "/fails").await.is_err());
    assert!(is_rejected(&call("acme", "/").await));
    assert!(call("other", "/").await.is_ok());
    assert_eq!(set.get("acme").state(), State::Open);
    assert_eq!(tally(&set.other()), []);
}

#[tokio::test(start_paused = true)]
async fn each_route_of_axum_has_its_own() {
    fn route(request: &Request) -> Option<Cow<'_, str>> {
        request.extensions().get::<MatchedPath>().map(|path| path.as_str().into())
    }
    let (set, vitals) = set(10);
    let app = Router::new()
        .route("/users/{id}", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/orders/{id}", get(|| async { "an order" }))
        .layer(
            ServiceBuilder::new()
                .layer(UnavailableLayer)
                .layer(CircuitBreakerLayer::http(set.by(route))),
        );
    let status = |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request);
        async { response.await.unwrap().status().as_u16() }
    };
    assert_eq!(status("/users/1").await, 500);
    assert_eq!(status("/users/2").await, 503, "it is the same route");
    assert_eq!(status("/orders/1").await, 200);
    assert_eq!(names(&vitals), ["set//orders/{id}", "set//users/{id}"]);
}

#[tokio::test(start_paused = true)]
async fn clones_and_services_of_one_layer_share_them() {
    let (set, _vitals) = set(10);
    let layer = CircuitBreakerLayer::new(set.by(key::host));
    let mut first = layer.layer(service_fn(answer));
    let [clone, second, third] = [
        first.clone(),
        layer.layer(service_fn(answer)),
        layer.clone().layer(service_fn(answer)),
    ];
    assert!(
        first
            .ready()
            .await
            .unwrap()
            .call(to("http://eu.example/fails"))
            .await
            .is_err()
    );
    for other in [first, clone, second, third] {
        assert!(is_rejected(&other.oneshot(to("http://eu.example/")).await));
    }
    assert_eq!(tally(&set.get("eu.example")), [("failure", 1), ("open", 4)]);
}

#[tokio::test(start_paused = true)]
async fn a_service_holds_none_of_them_but_a_call_does() {
    let (set, vitals) = set(2);
    let hangs = |request: http::Request<()>| async move {
        match request.uri().path() {
            "/hangs" => std::future::pending().await,
            _ => Ok::<_, ()>(()),
        }
    };
    let mut service = CircuitBreakerLayer::new(set.by(key::host)).layer(service_fn(hangs));
    let in_flight = service.ready().await.unwrap().call(to("http://a/hangs"));
    for host in ["b", "c"] {
        service
            .ready()
            .await
            .unwrap()
            .call(to(&format!("http://{host}/")))
            .await
            .unwrap();
    }
    assert_eq!(names(&vitals), ["set/a", "set/c"]);
    drop(in_flight);
    service.ready().await.unwrap().call(to("http://d/")).await.unwrap();
    assert_eq!(names(&vitals), ["set/c", "set/d"]);
}

#[tokio::test(start_paused = true)]
async fn services_wait_for_the_inner_one_and_keep_what_a_rejected_request_did_not_use() {
    let (set, _vitals) = set(10);
    let by = || set.by(|fails: &bool| Some(if *fails { "bad" } else { "good" }.into()));
    set.get("bad").force_open();
    let mut waits = CircuitBreakerLayer::new(by()).layer(Gate::default());
    let (_, waker) = waker();
    assert!(waits.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    let mut service = CircuitBreakerLayer::new(by()).layer(Strict::default());
    assert!(is_rejected(&service.ready().await.unwrap().call(true).await));
    assert_eq!(service.call(false).await.unwrap(), 1);
    assert!(is_rejected(&service.call(false).await), "an unready service is not called");
}

#[tokio::test(start_paused = true)]
async fn what_is_rejected_goes_to_the_fallback() {
    let (set, _vitals) = set(10);
    let by = set.by(|fails: &bool| Some(if *fails { "bad" } else { "good" }.into()));
    let mut service = CircuitBreakerLayer::new(by)
        .fallback(service_fn(|_: bool| ready(Ok::<_, &str>(42))))
        .layer(Strict::default());
    assert!(service.ready().await.unwrap().call(true).await.is_err());
    assert_eq!(service.ready().await.unwrap().call(true).await.unwrap(), 42);
    assert_eq!(service.ready().await.unwrap().call(false).await.unwrap(), 3);
    assert_eq!(tally(&set.get("bad")), [("failure", 1), ("open", 1)]);
    assert_eq!(tally(&set.get("good")), [("success", 1)]);
}
