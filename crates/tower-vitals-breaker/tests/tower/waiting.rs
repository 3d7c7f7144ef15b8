//! Services that are not ready as long as their breaker would reject.

use std::{future::ready, sync::atomic::Ordering, task::Context, time::Duration};

use tower::{Layer, Service, ServiceExt, balance::p2c::Balance, discover::ServiceList, load::Constant, service_fn};
use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerLayer, State};
use tower_vitals_core::{Clock, Vitals};

use super::{OPEN, Strict, breaker, tally, waker};

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
    assert_eq!(tally(&breaker), [("success", 2), ("failure", 2)], "none was rejected");
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
async fn another_open_time_is_waited_for_from_its_beginning() {
    for (first, then) in [(OPEN, OPEN * 3), (OPEN * 3, OPEN)] {
        let breaker = breaker();
        breaker.force_open_for(first);
        let mut service = CircuitBreakerLayer::new(breaker.clone())
            .pending_while_open()
            .layer(Strict::default());
        let (_, waker) = waker();
        assert!(service.poll_ready(&mut Context::from_waker(&waker)).is_pending());
        breaker.force_open_for(then);
        let began = tokio::time::Instant::now();
        service.ready().await.unwrap();
        let took = began.elapsed();
        assert!(took >= then && took < then + Duration::from_millis(5), "{took:?}");
    }
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
