//! Calls that panic, and calls that nobody waits for.

use std::{
    future::{Ready, pending},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Context,
};

use tower::{Layer, Service, ServiceExt, service_fn};
use tower_vitals_breaker::{CircuitBreakerLayer, State};

use super::{OPEN, breaker, tally, waker};

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
    assert_eq!(tally(&breaker), [("failure", 1), ("cancelled", 1), ("half_open_full", 1)]);
    assert!(breaker.try_acquire().is_ok());
}

#[tokio::test(start_paused = true)]
async fn panics_inside_open_the_breaker() {
    let in_poll = breaker();
    let layer = CircuitBreakerLayer::new(in_poll.clone());
    let service = layer.layer(service_fn(|_: ()| async { panic!("inside") as Result<(), ()> }));
    assert!(tokio::spawn(service.oneshot(())).await.unwrap_err().is_panic());
    assert_eq!((in_poll.state(), tally(&in_poll)), (State::Open, vec![("panicked", 1)]));
    let in_call = breaker();
    let layer = CircuitBreakerLayer::new(in_call.clone());
    let service = layer.layer(service_fn(|()| -> Ready<Result<(), ()>> { panic!("inside") }));
    assert!(tokio::spawn(service.oneshot(())).await.unwrap_err().is_panic());
    assert_eq!((in_call.state(), tally(&in_call)), (State::Open, vec![("panicked", 1)]));
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
    assert_eq!(tally(&breaker), [("cancelled", 2)]);
}
