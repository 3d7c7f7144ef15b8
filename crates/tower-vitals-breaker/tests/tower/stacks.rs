//! Breakers among Tower's own layers.

use std::{
    cell::Cell,
    future::{Ready, pending, ready},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Context,
    time::Duration,
};

use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt,
    buffer::Buffer,
    limit::ConcurrencyLimit,
    retry::{Policy, Retry},
    service_fn,
    timeout::TimeoutLayer,
};
use tower_vitals_breaker::{BreakerError, ByResult, CircuitBreaker, CircuitBreakerLayer, find_rejection};
use tower_vitals_core::{Clock, Vitals};

use super::{Gate, OPEN, Strict, breaker, is_rejected, soon, tally, waker};

#[tokio::test(start_paused = true)]
async fn an_open_breaker_does_not_kill_a_buffer_around_it() {
    let breaker = breaker();
    let service = CircuitBreakerLayer::new(breaker.clone()).layer(Strict::default());
    let mut buffer = Buffer::new(service.map_err(|error| format!("{error:?}")), 4);
    for (fails, told) in [(true, "Inner"), (false, "Rejected"), (false, "Rejected")] {
        let error = buffer.ready().await.unwrap().call(fails).await.unwrap_err();
        assert!(error.to_string().starts_with(told), "{error}");
    }
    tokio::time::advance(OPEN).await;
    assert_eq!(buffer.ready().await.unwrap().call(false).await.unwrap(), 2);
    assert_eq!(tally(&breaker), [("success", 1), ("failure", 1), ("open", 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_inside_holds_up_nobody_when_the_breaker_is_open() {
    let breaker = breaker();
    let gate = Gate::default();
    let buffer = Buffer::new(gate.clone(), 1);
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let (mut first, mut second) = (layer.layer(buffer.clone()), layer.layer(buffer));
    let answer = tokio::spawn(first.ready().await.unwrap().call(false));
    tokio::task::yield_now().await;
    let third = tokio::spawn(first.ready().await.unwrap().call(false));
    let waits = tokio::spawn(async move { second.ready().await.unwrap().call(false).await });
    tokio::task::yield_now().await;
    assert!(!waits.is_finished());
    breaker.force_open();
    assert!(is_rejected(&soon(waits).await.unwrap()));
    for call in [third, answer] {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    assert_eq!(tally(&breaker), [("cancelled", 2), ("forced_open", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside_is_a_failure_and_one_outside_a_cancellation() {
    let timeout = TimeoutLayer::new(Duration::from_secs(1));
    let hangs = service_fn(|_: ()| pending::<Result<(), BoxError>>());
    let inside = breaker();
    let service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(inside.clone()))
        .layer(timeout.clone())
        .service(hangs);
    assert!(matches!(service.oneshot(()).await, Err(BreakerError::Inner(_))));
    assert_eq!(tally(&inside), [("timeout", 1)]);
    let outside = breaker();
    let service = ServiceBuilder::new()
        .layer(timeout.clone())
        .map_err(BreakerError::into_box)
        .layer(CircuitBreakerLayer::new(outside.clone()))
        .service(hangs);
    let error = service.clone().oneshot(()).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>());
    outside.force_open();
    let error = service.oneshot(()).await.unwrap_err();
    assert_eq!(find_rejection(&*error).unwrap().breaker(), "stock");
    assert_eq!(tally(&outside), [("cancelled", 1), ("forced_open", 1)]);
}

#[tokio::test(start_paused = true)]
async fn rejected_calls_take_no_place_of_a_concurrency_limit_inside() {
    let breaker = breaker();
    breaker.force_open();
    let hangs = service_fn(|()| pending::<Result<(), ()>>());
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(ConcurrencyLimit::new(hangs, 1));
    let mut other = service.clone();
    for _ in 0..3 {
        assert!(is_rejected(&service.ready().await.unwrap().call(()).await));
    }
    assert_eq!(tally(&breaker), [("forced_open", 3)]);
    breaker.release();
    let held = soon(other.ready()).await.unwrap().call(());
    let (woken, waker) = waker();
    assert!(service.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    drop(held);
    assert_eq!(tally(&breaker), [("cancelled", 1), ("forced_open", 3)]);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(soon(service.ready()).await.is_ok());
}

#[derive(Clone)]
struct UnlessRejected;

impl<T> Policy<bool, T, BreakerError<&'static str>> for UnlessRejected {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut bool, result: &mut Result<T, BreakerError<&'static str>>) -> Option<Ready<()>> {
        matches!(result, Err(BreakerError::Inner(_))).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &bool) -> Option<bool> {
        Some(*request)
    }
}

#[tokio::test(start_paused = true)]
async fn retries_outside_end_when_the_breaker_opens() {
    let vitals = Vitals::builder().clock(Clock::tokio()).build().unwrap();
    let breaker = CircuitBreaker::builder("stock")
        .consecutive_failures(3)
        .build(&vitals)
        .unwrap();
    let calls = Arc::<AtomicU32>::default();
    let counted = Arc::clone(&calls);
    let fails = service_fn(move |_: bool| {
        counted.fetch_add(1, Ordering::SeqCst);
        ready(Err::<(), _>("no route"))
    });
    let service = Retry::new(UnlessRejected, CircuitBreakerLayer::new(breaker.clone()).layer(fails));
    assert!(is_rejected(&service.oneshot(true).await));
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert_eq!(tally(&breaker), [("failure", 3), ("open", 1)]);
}

#[tokio::test(start_paused = true)]
async fn retries_inside_are_one_call() {
    /// Three tries.
    #[derive(Clone)]
    struct Thrice(u32);

    impl<T> Policy<bool, T, &'static str> for Thrice {
        type Future = Ready<()>;

        fn retry(&mut self, _: &mut bool, result: &mut Result<T, &'static str>) -> Option<Ready<()>> {
            self.0 += 1;
            (result.is_err() && self.0 < 3).then(|| ready(()))
        }

        fn clone_request(&mut self, request: &bool) -> Option<bool> {
            Some(*request)
        }
    }

    let breaker = breaker();
    let calls = Arc::<AtomicU32>::default();
    let counted = Arc::clone(&calls);
    let fails_twice = service_fn(move |fails: bool| {
        let before = counted.fetch_add(1, Ordering::SeqCst);
        ready(if fails || before < 2 { Err("no route") } else { Ok(()) })
    });
    let service = CircuitBreakerLayer::new(breaker.clone()).layer(Retry::new(Thrice(0), fails_twice));
    assert!(service.clone().oneshot(false).await.is_ok());
    assert!(service.clone().oneshot(true).await.is_err());
    assert!(is_rejected(&service.oneshot(true).await));
    assert_eq!(calls.load(Ordering::SeqCst), 6);
    assert_eq!(tally(&breaker), [("success", 1), ("failure", 1), ("open", 1)]);
}

#[test]
fn services_and_futures_are_send_and_services_sync() {
    fn is_send<T: Send>(_: &T) {}
    fn is_sync<T: Sync>(_: &T) {}
    let breaker = breaker();
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let mut waits = layer.clone().pending_while_open().layer(Strict::default());
    is_send(&waits);
    is_sync(&waits);
    is_send(&waits.call(false));
    let mut falls = layer.fallback(Strict::default()).layer(Strict::default());
    is_send(&falls);
    is_sync(&falls);
    is_send(&falls.call(false));
    is_send(&breaker.call(ready(Ok::<_, ()>(()))));
    is_send(&breaker.call_with(ByResult, ready(Ok::<_, Cell<()>>(()))));
}
