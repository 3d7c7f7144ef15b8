//! Where rejected requests go.

use std::{
    convert::Infallible,
    future::{Ready, pending, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimit, service_fn};
use tower_vitals_breaker::{BreakerError, CircuitBreakerLayer, GrpcClassifier, HttpClassifier};

use super::{Gate, Strict, breaker, is_rejected, soon, tally};

fn answers() -> impl Service<bool, Response = u32, Error = &'static str, Future: Send> + Clone {
    service_fn(|_: bool| async { Ok::<_, &str>(42) })
}

#[tokio::test(start_paused = true)]
async fn rejected_requests_go_to_the_fallback() {
    let breaker = breaker();
    breaker.force_open();
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .fallback(answers())
        .layer(Strict::default());
    assert_eq!(service.ready().await.unwrap().call(false).await.unwrap(), 42);
    assert_eq!(service.get_ref().asked, 0);
    breaker.release();
    assert_eq!(service.ready().await.unwrap().call(false).await.unwrap(), 1);
    assert_eq!(tally(&breaker), [("success", 1), ("forced_open", 1)]);
}

#[tokio::test(start_paused = true)]
async fn so_do_those_that_are_rejected_when_the_inner_service_was_ready() {
    let breaker = breaker();
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .fallback(answers())
        .layer(Strict::default());
    service.ready().await.unwrap();
    breaker.force_open();
    assert_eq!(service.call(false).await.unwrap(), 42);
    breaker.release();
    assert_eq!(service.call(false).await.unwrap(), 1, "it is ready still");
}

#[tokio::test(start_paused = true)]
async fn a_fallback_is_asked_for_readiness_before_each_call() {
    let breaker = breaker();
    breaker.force_open();
    let layer = CircuitBreakerLayer::new(breaker).fallback(Strict::default());
    let mut service = layer.layer(Strict::default());
    for _ in 0..2 {
        assert_eq!(service.ready().await.unwrap().call(false).await.unwrap(), 1);
        assert!(matches!(
            service.ready().await.unwrap().call(true).await,
            Err(BreakerError::Inner("no route"))
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn the_response_waits_for_a_busy_fallback() {
    let breaker = breaker();
    breaker.force_open();
    let hangs = service_fn(|hangs: bool| async move { if hangs { pending().await } else { Ok::<_, &str>(42) } });
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .fallback(ConcurrencyLimit::new(hangs, 1))
        .layer(Gate::default());
    let first = tokio::spawn(soon(service.ready()).await.unwrap().call(true));
    tokio::task::yield_now().await;
    let second = tokio::spawn(soon(service.ready()).await.unwrap().call(false));
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    first.abort();
    assert_eq!(soon(second).await.unwrap().unwrap(), 42);
    assert_eq!(tally(&breaker), [("forced_open", 2)]);
}

/// A service that has failed for good.
#[derive(Clone)]
struct Dead;

impl Service<bool> for Dead {
    type Response = u32;
    type Error = &'static str;
    type Future = Ready<Result<u32, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Err("dead"))
    }

    fn call(&mut self, _: bool) -> Self::Future {
        panic!("it is not ready")
    }
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_is_dead_fails_requests_and_not_the_service() {
    let breaker = breaker();
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .fallback(Dead)
        .layer(Strict::default());
    breaker.force_open();
    let failed = service.ready().await.unwrap().call(false).await;
    assert!(matches!(failed, Err(BreakerError::Inner("dead"))));
    breaker.release();
    assert_eq!(service.ready().await.unwrap().call(false).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_fallback_is_not_the_breakers() {
    let breaker = breaker();
    breaker.force_open();
    let panics = service_fn(|_: bool| async { panic!("in the fallback") as Result<u32, &'static str> });
    let service = CircuitBreakerLayer::new(breaker.clone())
        .fallback(panics)
        .layer(Strict::default());
    assert!(tokio::spawn(service.oneshot(false)).await.unwrap_err().is_panic());
    assert_eq!(tally(&breaker), [("forced_open", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_gives_plain_responses_where_bodies_are_watched() {
    let says = |status: u16, text: &'static str| {
        service_fn(move |()| {
            let response = Response::builder().status(status);
            ready(Ok::<_, Infallible>(response.body(Full::new(Bytes::from(text))).unwrap()))
        })
    };
    let breaker = breaker();
    let layer = CircuitBreakerLayer::new(breaker.clone()).fallback(says(503, "from the cache"));
    let http = layer
        .clone()
        .classify_bodies(HttpClassifier::new())
        .layer(says(200, "from the stock"));
    let grpc = layer
        .classify_bodies(GrpcClassifier::new())
        .layer(says(404, "from the stock"));
    breaker.force_open();
    let response = http.clone().oneshot(()).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "from the cache");
    assert_eq!(grpc.clone().oneshot(()).await.unwrap().status(), 503);
    assert_eq!(tally(&breaker), [("forced_open", 2)]);
    breaker.release();
    let response = http.oneshot(()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "from the stock");
    assert_eq!(grpc.oneshot(()).await.unwrap().status(), 404);
    assert_eq!(tally(&breaker), [("success", 2), ("forced_open", 2)]);
}

#[tokio::test(start_paused = true)]
async fn without_one_they_are_errors() {
    let breaker = breaker();
    breaker.force_open();
    assert!(is_rejected(
        &CircuitBreakerLayer::new(breaker)
            .layer(Strict::default())
            .oneshot(false)
            .await
    ));
}
