//! Rejections as responses.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
    time::Duration,
};

use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, buffer::Buffer, service_fn, timeout::TimeoutLayer};
use tower_vitals_breaker::{BreakerError, CircuitBreaker, CircuitBreakerLayer, UnavailableLayer, Verdict};

use super::{breaker, tally};

#[tokio::test(start_paused = true)]
async fn rejections_are_answered_with_503_and_the_time_rounded_up() {
    let breaker = breaker();
    let mut service = ServiceBuilder::new()
        .layer(UnavailableLayer)
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .service(service_fn(|fails: bool| {
            ready(if fails {
                Err("no route")
            } else {
                Ok(http::Response::new(String::new()))
            })
        }));
    assert_eq!(service.ready().await.unwrap().call(true).await.unwrap_err(), "no route");
    tokio::time::advance(Duration::from_millis(1_500)).await;
    let response = service.ready().await.unwrap().call(false).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["retry-after"].as_bytes()),
        (503, &b"4"[..])
    );
    breaker.force_open();
    let response = service.ready().await.unwrap().call(false).await.unwrap();
    assert_eq!(response.status().as_u16(), 503);
    assert!(!response.headers().contains_key("retry-after"));
    breaker.reset();
    assert_eq!(
        service.ready().await.unwrap().call(false).await.unwrap().status().as_u16(),
        200
    );
}

#[tokio::test(start_paused = true)]
async fn rejections_in_boxes_are_answered_and_other_errors_are_left() {
    let breaker = breaker();
    let mut service = ServiceBuilder::new()
        .layer(UnavailableLayer)
        .buffer(4)
        .timeout(Duration::from_secs(1))
        .map_err(BreakerError::into_box)
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .layer(TimeoutLayer::new(Duration::from_secs(60)))
        .service(service_fn(|fails: bool| {
            let answer = async move { if fails { Err("no route") } else { Ok(http::Response::new(())) } };
            async { answer.await.map_err(BoxError::from) }
        }));
    let error = service.ready().await.unwrap().call(true).await.unwrap_err();
    assert_eq!(error.to_string(), "no route");
    let response = service.ready().await.unwrap().call(false).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["retry-after"].as_bytes()),
        (503, &b"5"[..])
    );
    breaker.reset();
    assert_eq!(
        service.ready().await.unwrap().call(false).await.unwrap().status().as_u16(),
        200
    );
    assert_eq!(tally(&breaker), [("success", 1), ("failure", 1), ("open", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_get_ready_is_not_called() {
    /// Asks its breaker when it gets ready.
    struct Early(CircuitBreaker);

    impl Service<()> for Early {
        type Response = http::Response<()>;
        type Error = BoxError;
        type Future = Ready<Result<Self::Response, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            self.0.try_acquire()?.record(Verdict::SUCCESS);
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            ready(Ok(http::Response::new(())))
        }
    }

    let breaker = breaker();
    breaker.force_open();
    let mut service = UnavailableLayer.layer(Buffer::new(Early(breaker), 1));
    let response = service.ready().await.unwrap().call(()).await;
    assert_eq!(response.unwrap().status().as_u16(), 503);
    assert!(service.ready().await.is_err(), "the buffer is dead");
}
