//! What calls through a layer allocate: nothing. A test binary of its own, as all of it shares the count.
#![allow(clippy::unwrap_used)] // there is nothing but a test

use std::{
    alloc::System,
    convert::Infallible,
    future::{Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower::{Layer, Service, service_fn};
use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerLayer, key};
use tower_vitals_core::Vitals;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn answer(_: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    ready(Ok(Response::new(())))
}

/// The least that a call allocates: other threads of the test may allocate in between.
fn least<S: Service<Request<()>>>(service: &mut S, url: &'static str) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    let mut allocations = |()| {
        let request = Request::get(url).body(()).unwrap();
        let region = Region::new(ALLOCATOR);
        assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
        assert!(pin!(service.call(request)).poll(&mut cx).is_ready());
        region.change().allocations
    };
    [(); 20].map(&mut allocations).into_iter().min().unwrap()
}

#[test]
fn calls_and_rejections_allocate_nothing() {
    let vitals = Vitals::new();
    let one = CircuitBreaker::builder("one").build(&vitals).unwrap();
    let hosts = CircuitBreaker::builder("hosts").keyed(&vitals, 10).unwrap();
    let by_host = CircuitBreakerLayer::http(hosts.by(key::host));
    let mut one_service = CircuitBreakerLayer::http(one.clone()).layer(service_fn(answer));
    let mut by_host = by_host.layer(service_fn(answer));
    for order in [CircuitBreaker::release, CircuitBreaker::force_open] {
        for breaker in [&one, &hosts.get("eu.example"), &hosts.other()] {
            order(breaker);
        }
        assert_eq!(least(&mut one_service, "http://eu.example/"), 0);
        assert_eq!(least(&mut by_host, "http://eu.example/"), 0, "a known key");
        assert_eq!(least(&mut by_host, "/"), 0, "no key");
    }
    assert!(least(&mut by_host, "http://EU.example/") > 0, "it is counted");
}
