//! Breakers around real Tower services, as Tower's contract wants it. The clock is tokio's, and paused.
#![allow(clippy::unwrap_used)] // there is nothing but tests

use std::{
    cell::Cell,
    future::{Future, Ready, pending, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt,
    balance::p2c::Balance,
    buffer::Buffer,
    discover::ServiceList,
    limit::ConcurrencyLimit,
    load::Constant,
    retry::{Policy, Retry},
    service_fn,
    timeout::TimeoutLayer,
};
use tower_vitals_breaker::{BreakerError, CircuitBreaker, CircuitBreakerLayer, OpenFor, RejectReason, State, UnavailableLayer};
use tower_vitals_core::{Clock, Vitals};

const OPEN: Duration = Duration::from_secs(5);

fn breaker() -> CircuitBreaker {
    let vitals = Vitals::builder().clock(Clock::tokio()).build().unwrap();
    CircuitBreaker::builder("stock")
        .consecutive_failures(1)
        .open_for(OpenFor::constant(OPEN))
        .build(&vitals)
        .unwrap()
}

/// Counts what it is asked, and panics when called without having been readied.
#[derive(Default)]
struct Strict {
    asked: u32,
    is_ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<bool> for Strict {
    type Response = u32;
    type Error = &'static str;
    type Future = Ready<Result<u32, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.asked += 1;
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, fails: bool) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without having been readied");
        ready(if fails { Err("no route") } else { Ok(self.asked) })
    }
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn waker() -> (Arc<Woken>, Waker) {
    let woken = Arc::<Woken>::default();
    (Arc::clone(&woken), woken.into())
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_ready_without_asking_the_inner_service() {
    let breaker = breaker();
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(Strict::default());
    assert!(service.ready().await.unwrap().call(true).await.is_err());
    assert_eq!(breaker.state(), State::Open);
    let rejected = service.ready().await.unwrap().call(false).await;
    assert!(matches!(rejected, Err(BreakerError::Rejected(_))));
    assert_eq!(service.get_ref().asked, 1);
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
}

#[tokio::test(start_paused = true)]
async fn readiness_survives_a_rejection() {
    let breaker = breaker();
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(Strict::default());
    service.ready().await.unwrap();
    breaker.force_open();
    assert!(matches!(service.call(false).await, Err(BreakerError::Rejected(_))));
    breaker.release();
    assert_eq!(service.call(false).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_by_time_and_by_orders() {
    let breaker = breaker();
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .pending_while_open()
        .layer(Strict::default());
    for order in [None, Some(CircuitBreaker::reset as fn(&CircuitBreaker))] {
        _ = service.ready().await.unwrap().call(true).await;
        let (woken, waker) = waker();
        let mut cx = Context::from_waker(&waker);
        assert!(service.poll_ready(&mut cx).is_pending());
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        match order {
            Some(order) => order(&breaker),
            None => tokio::time::sleep(OPEN + Duration::from_millis(2)).await,
        }
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(service.poll_ready(&mut cx).is_ready());
        assert!(service.call(false).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_requests_go_to_the_fallback() {
    let breaker = breaker();
    breaker.force_open();
    let fallback = service_fn(|_: bool| async { Ok::<_, &str>(42) });
    let mut service = CircuitBreakerLayer::new(breaker).fallback(fallback).layer(Strict::default());
    assert_eq!(service.ready().await.unwrap().call(false).await.unwrap(), 42);
}

#[tokio::test(start_paused = true)]
async fn a_call_begins_with_its_first_poll_and_a_dropped_probe_frees_its_place() {
    let breaker = breaker();
    _ = breaker.call(async { Err::<(), _>("no route") }).await;
    tokio::time::advance(OPEN).await;
    drop(breaker.call(pending::<Result<(), &str>>()));
    assert_eq!(breaker.state(), State::Open);
    let mut probe = Box::pin(breaker.call(pending::<Result<(), &str>>()));
    let (_, waker) = waker();
    assert!(Pin::as_mut(&mut probe).poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(breaker.try_acquire().is_err());
    drop(probe);
    assert!(breaker.try_acquire().is_ok());
}

fn is_rejected<T, E>(result: &Result<T, BreakerError<E>>) -> bool {
    matches!(result, Err(BreakerError::Rejected(_)))
}

/// A service that is not ready until it is told to be.
#[derive(Clone, Default)]
struct Gate {
    is_open: Arc<AtomicBool>,
}

impl Service<bool> for Gate {
    type Response = u32;
    type Error = &'static str;
    type Future = Ready<Result<u32, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.is_open.load(Ordering::SeqCst) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn call(&mut self, _: bool) -> Self::Future {
        ready(Ok(1))
    }
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
async fn who_waits_for_the_fallback_is_woken_when_the_breaker_closes() {
    let breaker = breaker();
    breaker.force_open();
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .fallback(Gate::default())
        .layer(Strict::default());
    let (woken, waker) = waker();
    let mut cx = Context::from_waker(&waker);
    assert!(service.poll_ready(&mut cx).is_pending());
    breaker.release();
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(service.poll_ready(&mut cx).is_ready());
    assert_eq!(service.call(false).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_by_every_order_that_lets_calls_through() {
    let orders: [fn(&CircuitBreaker); 4] = [
        CircuitBreaker::reset,
        CircuitBreaker::release,
        CircuitBreaker::disable,
        CircuitBreaker::shadow,
    ];
    for order in orders {
        let breaker = breaker();
        breaker.force_open();
        let layer = CircuitBreakerLayer::new(breaker.clone()).pending_while_open();
        let mut service = layer.layer(Strict::default());
        let (woken, waker) = waker();
        let mut cx = Context::from_waker(&waker);
        assert!(service.poll_ready(&mut cx).is_pending());
        order(&breaker);
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(service.poll_ready(&mut cx).is_ready());
        assert_eq!(service.call(false).await.unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_when_a_probe_s_place_is_free() {
    let breaker = breaker();
    _ = breaker.call(async { Err::<(), _>("no route") }).await;
    tokio::time::advance(OPEN).await;
    let probe = breaker.try_acquire().unwrap();
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .pending_while_open()
        .layer(Strict::default());
    let (woken, waker) = waker();
    let mut cx = Context::from_waker(&waker);
    assert!(service.poll_ready(&mut cx).is_pending());
    drop(probe);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(service.poll_ready(&mut cx).is_ready());
    assert_eq!(service.call(false).await.unwrap(), 1);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_longer_open_time_is_waited_for_from_its_beginning() {
    let breaker = breaker();
    breaker.force_open_for(OPEN);
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .pending_while_open()
        .layer(Strict::default());
    let (_, waker) = waker();
    assert!(service.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    breaker.force_open_for(OPEN * 3);
    let began = tokio::time::Instant::now();
    service.ready().await.unwrap();
    let took = began.elapsed();
    assert!(took >= OPEN * 3 && took < OPEN * 3 + Duration::from_millis(5), "{took:?}");
}

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
    assert!(is_rejected(&waits.await.unwrap()));
    third.abort();
    answer.abort();
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
    assert_eq!(inside.state(), State::Open);
    let outside = breaker();
    let service = ServiceBuilder::new()
        .layer(timeout.clone())
        .map_err(|error: BreakerError<BoxError>| format!("{error:?}"))
        .layer(CircuitBreakerLayer::new(outside.clone()))
        .service(hangs);
    assert!(service.oneshot(()).await.is_err());
    assert_eq!(outside.state(), State::Closed);
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
    let service = Retry::new(UnlessRejected, CircuitBreakerLayer::new(breaker).layer(fails));
    assert!(is_rejected(&service.oneshot(true).await));
    assert_eq!(calls.load(Ordering::SeqCst), 3);
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
}

#[tokio::test(start_paused = true)]
async fn panics_inside_open_the_breaker() {
    let in_poll = breaker();
    let layer = CircuitBreakerLayer::new(in_poll.clone());
    let service = layer.layer(service_fn(|_: ()| async { panic!("inside") as Result<(), ()> }));
    assert!(tokio::spawn(service.oneshot(())).await.unwrap_err().is_panic());
    assert_eq!(in_poll.state(), State::Open);
    let in_call = breaker();
    let layer = CircuitBreakerLayer::new(in_call.clone());
    let service = layer.layer(service_fn(|()| -> Ready<Result<(), ()>> { panic!("inside") }));
    assert!(tokio::spawn(service.oneshot(())).await.unwrap_err().is_panic());
    assert_eq!(in_call.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn calls_that_a_panic_elsewhere_drops_are_cancelled() {
    let breaker = breaker();
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let mut service = layer.layer(service_fn(|()| pending::<Result<(), ()>>()));
    let (_, waker) = waker();
    let mut cx = Context::from_waker(&waker);
    let mut call = Box::pin(breaker.call(pending::<Result<(), ()>>()));
    let mut response = Box::pin(service.ready().await.unwrap().call(()));
    assert!(call.as_mut().poll(&mut cx).is_pending() && response.as_mut().poll(&mut cx).is_pending());
    let thrown = catch_unwind(AssertUnwindSafe(|| {
        let _held = (call, response);
        panic!("elsewhere")
    }));
    assert!(thrown.is_err());
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_balancer_sends_to_the_endpoint_whose_breaker_is_closed() {
    let vitals = Vitals::builder().clock(Clock::tokio()).build().unwrap();
    let breakers = ["a", "b"].map(|name| CircuitBreaker::builder(name).build(&vitals).unwrap());
    let endpoints = breakers.clone().map(|breaker| {
        let name = breaker.name().to_owned();
        let layer = CircuitBreakerLayer::new(breaker).pending_while_open();
        let endpoint = layer.layer(service_fn(move |()| ready(Ok::<_, ()>(name.clone()))));
        Constant::new(endpoint.map_err(|error| format!("{error:?}")), 1)
    });
    let mut balance = Balance::new(ServiceList::new::<()>(endpoints));
    breakers[0].force_open();
    for _ in 0..20 {
        assert_eq!(balance.ready().await.unwrap().call(()).await.unwrap(), "b");
    }
    breakers[1].force_open();
    let (woken, waker) = waker();
    let mut cx = Context::from_waker(&waker);
    // One endpoint may have been found ready before.
    while balance.poll_ready(&mut cx).is_ready() {
        _ = balance.call(()).await;
    }
    woken.0.store(0, Ordering::SeqCst);
    breakers[0].release();
    assert!(woken.0.load(Ordering::SeqCst) > 0);
    assert_eq!(balance.ready().await.unwrap().call(()).await.unwrap(), "a");
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
    breaker.release();
    let held = other.ready().await.unwrap().call(());
    let (woken, waker) = waker();
    assert!(service.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    drop(held);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(service.ready().await.is_ok());
}

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

#[test]
fn services_and_futures_are_send() {
    fn is_send<T: Send>(_: &T) {}
    let breaker = breaker();
    let layer = CircuitBreakerLayer::new(breaker.clone()).pending_while_open();
    let mut service = layer.fallback(Strict::default()).layer(Strict::default());
    is_send(&service);
    is_send(&service.call(false));
    is_send(&breaker.call(ready(Ok::<_, ()>(()))));
    is_send(&breaker.call_with(tower_vitals_breaker::ByResult, ready(Ok::<_, Cell<()>>(()))));
}
