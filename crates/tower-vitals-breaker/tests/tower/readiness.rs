//! What `poll_ready` says and what it leaves behind.

use std::{
    future::{Ready, ready},
    sync::atomic::Ordering,
    task::{Context, Poll},
    time::Duration,
};

use tower::{Layer, Service, ServiceExt};
use tower_vitals_breaker::{BreakerError, CircuitBreaker, CircuitBreakerLayer, HalfOpen, OpenFor, RejectReason, State};
use tower_vitals_core::{Clock, Vitals};

use super::{Gate, OPEN, Strict, breaker, is_rejected, tally, waker};

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_ready_without_asking_the_inner_service() {
    let breaker = breaker();
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(Strict::default());
    assert!(service.ready().await.unwrap().call(true).await.is_err());
    assert_eq!(breaker.state(), State::Open);
    assert!(is_rejected(&service.ready().await.unwrap().call(false).await));
    assert_eq!(service.get_ref().asked, 1);
    assert_eq!(tally(&breaker), [("failure", 1), ("open", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_not_asked_is_not_called_when_the_open_time_ends() {
    let breaker = breaker();
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(Strict::default());
    _ = service.ready().await.unwrap().call(true).await;
    service.ready().await.unwrap();
    tokio::time::advance(OPEN).await;
    let Err(BreakerError::Rejected(rejected)) = service.call(false).await else {
        panic!("it was called")
    };
    assert_eq!(
        (rejected.reason(), rejected.retry_after()),
        (RejectReason::Open, Some(Duration::ZERO))
    );
    assert_eq!(breaker.state(), State::Open, "it took no probe's place");
    assert!(service.ready().await.unwrap().call(false).await.is_ok());
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(tally(&breaker), [("success", 1), ("failure", 1), ("open", 1)]);
}

#[tokio::test(start_paused = true)]
async fn readiness_survives_a_rejection() {
    let breaker = breaker();
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(Strict::default());
    service.ready().await.unwrap();
    breaker.force_open();
    assert!(is_rejected(&service.call(false).await));
    breaker.release();
    assert_eq!(service.call(false).await.unwrap(), 1);
    assert_eq!(tally(&breaker), [("success", 1), ("forced_open", 1)]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_inner_service_is_woken_when_the_breaker_opens() {
    let breaker = breaker();
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(Gate::default());
    let (woken, waker) = waker();
    let mut cx = Context::from_waker(&waker);
    assert!(service.poll_ready(&mut cx).is_pending());
    _ = breaker.call(async { Err::<(), _>("no route") }).await;
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(service.poll_ready(&mut cx).is_ready());
    assert!(is_rejected(&service.call(false).await));
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_cannot_get_ready_says_so_and_is_no_call() {
    struct Dead;

    impl Service<bool> for Dead {
        type Response = ();
        type Error = &'static str;
        type Future = Ready<Result<(), &'static str>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
            Poll::Ready(Err("dead"))
        }

        fn call(&mut self, _: bool) -> Self::Future {
            ready(Ok(()))
        }
    }

    let breaker = breaker();
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let ready = layer.layer(Dead).ready().await.map(drop);
    assert!(matches!(ready, Err(BreakerError::Inner("dead"))));
    let mut waits = layer.pending_while_open().layer(Dead);
    assert!(matches!(waits.ready().await.map(drop), Err(BreakerError::Inner("dead"))));
    assert!(is_rejected(&waits.call(false).await), "it was not ready");
    assert_eq!(breaker.status().calls(tower_vitals_breaker::Outcome::Success), 0);
}

#[tokio::test(start_paused = true)]
async fn clones_and_layers_share_the_breaker_and_not_the_readiness() {
    let breaker = breaker();
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let mut service = layer.layer(Strict::default());
    let mut other = layer.clone().layer(Strict::default());
    service.ready().await.unwrap();
    let mut clone = service.clone();
    assert!(is_rejected(&clone.call(false).await), "an unready service is not called");
    assert_eq!(service.call(false).await.unwrap(), 1);
    assert!(service.ready().await.unwrap().call(true).await.is_err());
    assert!(is_rejected(&clone.ready().await.unwrap().call(false).await));
    assert!(is_rejected(&other.ready().await.unwrap().call(false).await));
    assert_eq!((clone.get_ref().asked, other.get_ref().asked), (0, 0));
    assert_eq!(tally(&breaker), [("success", 1), ("failure", 1), ("open", 3)]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_inner_service_is_woken_when_the_last_place_of_a_probe_is_taken() {
    let vitals = Vitals::builder().clock(Clock::tokio()).build().unwrap();
    let breaker = CircuitBreaker::builder("stock")
        .consecutive_failures(1)
        .open_for(OpenFor::constant(OPEN))
        .half_open(HalfOpen::new(2))
        .build(&vitals)
        .unwrap();
    _ = breaker.call(async { Err::<(), _>("no route") }).await;
    tokio::time::advance(OPEN).await;
    let _first = breaker.try_acquire().unwrap();
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(Gate::default());
    let (woken, waker) = waker();
    let mut cx = Context::from_waker(&waker);
    assert!(service.poll_ready(&mut cx).is_pending());
    let _last = breaker.try_acquire().unwrap();
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(service.poll_ready(&mut cx).is_ready());
    let Err(BreakerError::Rejected(rejected)) = service.call(false).await else {
        panic!("it was called")
    };
    assert_eq!(rejected.reason(), RejectReason::HalfOpenFull);
}
