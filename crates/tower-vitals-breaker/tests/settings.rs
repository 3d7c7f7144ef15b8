//! Settings that make no sense: each is an error when the breaker is built, which says the value and the rule.
#![allow(clippy::unwrap_used)] // also in what is not a test itself

use std::{error::Error, time::Duration};

use tower_vitals_breaker::{BuildError, CircuitBreaker, CircuitBreakerBuilder, HalfOpen, OpenFor, State, Window};
use tower_vitals_core::Vitals;

const SECOND: Duration = Duration::from_secs(1);

/// The longest time that a breaker may be told, and a nanosecond more.
const DAYS: Duration = Duration::from_secs(30 * 24 * 3600);
const MORE_DAYS: Duration = DAYS.saturating_add(Duration::from_nanos(10));

fn named(name: &str) -> CircuitBreakerBuilder {
    CircuitBreaker::builder(name)
}

/// What an error says, after the name of the breaker.
fn refused(builder: CircuitBreakerBuilder) -> String {
    let error = builder.build(&Vitals::new()).unwrap_err();
    assert!(!error.is_conflict() && error.source().is_none());
    said(&error)
}

fn said(error: &BuildError) -> String {
    let said = error.to_string();
    let (_, rule) = said.split_once("`: ").unwrap();
    rule.to_owned()
}

type Bad = (fn(CircuitBreakerBuilder) -> CircuitBreakerBuilder, &'static str);

fn are_refused(bad: &[Bad]) {
    for (set, rule) in bad {
        assert_eq!(refused(set(named("a"))), *rule);
    }
}

fn are_taken(good: &[fn(CircuitBreakerBuilder) -> CircuitBreakerBuilder]) {
    for set in good {
        let builder = set(named("a"));
        let built = builder.clone().build(&Vitals::new());
        assert!(built.is_ok(), "{builder:?}: {:?}", built.map(drop));
    }
}

#[test]
fn names() {
    assert_eq!(refused(named("")), "the name is empty");
    assert_eq!(refused(named("_other")), "`_other` stands for what budgets refused");
    assert_eq!(refused(named("a\0b")), "the name contains NUL");
    assert_eq!(refused(named(&"é".repeat(513))), "the name is longer than 1024 bytes");
    assert!(named(&"é".repeat(512)).build(&Vitals::new()).is_ok());
    assert!(named("a\n\t\"\\\u{7f}🦀").build(&Vitals::new()).is_ok(), "as labels can");
    let long = named(&"\n".repeat(5_000)).build(&Vitals::new()).unwrap_err().to_string();
    let cut = "\\n".repeat(200);
    assert_eq!(long, format!("circuit breaker `{cut}`: the name is longer than 1024 bytes"));
}

#[test]
fn conditions() {
    are_refused(&[
        (|b| b.failure_rate(0.0), "the failure rate of 0 is not above 0 and up to 1"),
        (
            |b| b.failure_rate(-0.5),
            "the failure rate of -0.5 is not above 0 and up to 1",
        ),
        (
            |b| b.failure_rate(1.001),
            "the failure rate of 1.001 is not above 0 and up to 1",
        ),
        (
            |b| b.failure_rate(f64::NAN),
            "the failure rate of NaN is not above 0 and up to 1",
        ),
        (
            |b| b.failure_rate(f64::INFINITY),
            "the failure rate of inf is not above 0 and up to 1",
        ),
        (
            |b| b.slow_calls(SECOND, 0.0),
            "the rate of slow calls of 0 is not above 0 and up to 1",
        ),
        (
            |b| b.slow_calls(SECOND, 50.0),
            "the rate of slow calls of 50 is not above 0 and up to 1",
        ),
        (
            |b| b.slow_calls(SECOND, f64::NAN),
            "the rate of slow calls of NaN is not above 0 and up to 1",
        ),
        (
            |b| b.slow_calls(Duration::ZERO, 0.5),
            "the time after which calls are slow is 0",
        ),
        (
            |b| b.slow_calls(MORE_DAYS, 0.5),
            "the time after which calls are slow of 2592000.00000001s is longer than 30 days",
        ),
        (
            |b| b.consecutive_failures(0),
            "0 consecutive failures would always be reached",
        ),
    ]);
    are_taken(&[
        |b| b.failure_rate(1.0).slow_calls(DAYS, 1.0),
        |b| b.failure_rate(f64::MIN_POSITIVE),
        |b| b.consecutive_failures(u32::MAX),
    ]);
}

#[test]
fn windows_and_minimums() {
    are_refused(&[
        (
            |b| b.window(Window::time(Duration::ZERO)),
            "the window of 0ns is shorter than 10ms",
        ),
        (
            |b| b.window(Window::time(Duration::from_micros(9_990))),
            "the window of 9.99ms is shorter than 10ms",
        ),
        (|b| b.window(Window::time(MORE_DAYS)), "the window is longer than 30 days"),
        (|b| b.window(Window::time(Duration::MAX)), "the window is longer than 30 days"),
        (
            |b| b.window(Window::count(0)),
            "the window of 0 calls is not from 1 to 1048576",
        ),
        (
            |b| b.window(Window::count(1_048_577)),
            "the window of 1048577 calls is not from 1 to 1048576",
        ),
        (
            |b| b.window(Window::count(9)).minimum_calls(10),
            "the minimum of 10 calls is above the window of 9 calls, so no rate would ever be judged",
        ),
        (
            |b| b.minimum_calls(0),
            "a minimum of 0 calls would judge a window without calls",
        ),
    ]);
    are_taken(&[
        |b| b.window(Window::time(Duration::from_millis(10))),
        |b| b.window(Window::time(DAYS)).minimum_calls(u32::MAX),
        |b| b.window(Window::count(1)),
        |b| b.window(Window::count(1_048_576)).minimum_calls(1_048_576),
        |b| b.window(Window::count(10)).minimum_calls(10),
    ]);
}

#[test]
fn open_times() {
    are_refused(&[
        (
            |b| b.open_for(OpenFor::constant(Duration::ZERO)),
            "the open time is 0, so it would never be open",
        ),
        (
            |b| b.open_for(OpenFor::exponential(SECOND * 2, SECOND)),
            "the longest open time of 1s is below the first of 2s",
        ),
        (
            |b| b.open_for(OpenFor::constant(DAYS + SECOND)),
            "the open time of 2592001s is longer than 30 days",
        ),
        (
            |b| b.open_for(OpenFor::exponential(SECOND, SECOND).multiplier(0.99)),
            "the multiplier of 0.99 is not a number from 1 up",
        ),
        (
            |b| b.open_for(OpenFor::exponential(SECOND, SECOND).multiplier(f64::NAN)),
            "the multiplier of NaN is not a number from 1 up",
        ),
        (
            |b| b.open_for(OpenFor::exponential(SECOND, SECOND).multiplier(f64::INFINITY)),
            "the multiplier of inf is not a number from 1 up",
        ),
        (
            |b| b.open_for(OpenFor::constant(SECOND).jitter(-0.1)),
            "the jitter of -0.1 is not from 0 to 1",
        ),
        (
            |b| b.open_for(OpenFor::constant(SECOND).jitter(1.1)),
            "the jitter of 1.1 is not from 0 to 1",
        ),
        (
            |b| b.open_for(OpenFor::constant(SECOND).jitter(f64::NAN)),
            "the jitter of NaN is not from 0 to 1",
        ),
    ]);
    are_taken(&[
        |b| b.open_for(OpenFor::constant(Duration::from_nanos(1)).jitter(1.0)),
        |b| {
            b.open_for(
                OpenFor::exponential(DAYS, DAYS)
                    .multiplier(f64::MAX)
                    .reset_after(Duration::MAX),
            )
        },
    ]);
}

#[test]
fn half_open_rounds_leases_and_caps() {
    are_refused(&[
        (
            |b| b.half_open(HalfOpen::new(0)),
            "0 half-open probes are not from 1 to 10000",
        ),
        (
            |b| b.half_open(HalfOpen::new(10_001)),
            "10001 half-open probes are not from 1 to 10000",
        ),
        (
            |b| b.half_open(HalfOpen::new(3).at_once(0)),
            "0 half-open probes at once are not from 1 to 3",
        ),
        (
            |b| b.half_open(HalfOpen::new(3).at_once(4)),
            "4 half-open probes at once are not from 1 to 3",
        ),
        (
            |b| b.half_open(HalfOpen::new(3).at_once(3).failure_rate(f64::NAN)),
            "the half-open failure rate of NaN is not above 0 and up to 1",
        ),
        (
            |b| b.half_open(HalfOpen::new(3).failure_rate(0.0)),
            "the half-open failure rate of 0 is not above 0 and up to 1",
        ),
        (|b| b.lease(Duration::ZERO), "the lease is 0"),
        (|b| b.lease(DAYS + SECOND), "the lease of 2592001s is longer than 30 days"),
        (
            |b| b.retry_after_cap(DAYS + SECOND),
            "the cap of `Retry-After` of 2592001s is longer than 30 days",
        ),
    ]);
    are_taken(&[
        |b| b.half_open(HalfOpen::new(10_000).at_once(1).failure_rate(1.0)),
        |b| b.lease(Duration::from_nanos(1)).retry_after_cap(Duration::ZERO),
        |b| b.lease(DAYS).retry_after_cap(DAYS),
    ]);
}

#[test]
fn keyed_breakers() {
    let vitals = Vitals::new();
    let keyed = |name: &str, budget| said(&named(name).keyed(&vitals, budget).unwrap_err());
    assert_eq!(keyed("a", 0), "the budget of 0 keys is not from 1 to 1000000");
    assert_eq!(keyed("a", 1_000_001), "the budget of 1000001 keys is not from 1 to 1000000");
    assert_eq!(
        keyed(&"a".repeat(257), 1),
        "the name of keyed breakers is longer than 256 bytes"
    );
    assert_eq!(keyed("", 1), "the name is empty");
    let bad = named("a").failure_rate(2.0).keyed(&vitals, 1).unwrap_err();
    assert_eq!(said(&bad), "the failure rate of 2 is not above 0 and up to 1");
}

#[test]
fn names_that_are_taken() {
    let vitals = Vitals::new();
    let build = |builder: CircuitBreakerBuilder| builder.build(&vitals).unwrap_err();
    let _a = named("a").failure_rate(0.5).build(&vitals).unwrap();
    let other = build(named("a").failure_rate(0.25));
    let expected = "circuit breaker `a`: it is there already with other settings: the failure rate is 0.5 there and 0.25 here";
    assert_eq!((other.to_string().as_str(), other.is_conflict()), (expected, true));
    assert!(
        named("a").failure_rate(0.25).build(&Vitals::new()).is_ok(),
        "another Vitals has its own"
    );

    let _set = named("set").keyed(&vitals, 2).unwrap();
    let conflict = "it is there already with other settings: ";
    assert_eq!(
        said(&build(named("set"))),
        format!("{conflict}it is one of keyed breakers there")
    );
    assert_eq!(
        said(&build(named("set/x"))),
        "the keyed breakers `set` could have one of this name"
    );
    let keyed = |name: &str, budget| said(&named(name).keyed(&vitals, budget).unwrap_err());
    assert_eq!(keyed("set", 3), format!("{conflict}the budget of keys is 2 there and 3 here"));
    assert_eq!(keyed("a", 2), format!("{conflict}it is a single breaker there"));
    let _b = named("b/x").build(&vitals).unwrap();
    assert_eq!(keyed("b", 2), "a key could make the name of the circuit breaker `b/x`");
}

#[test]
fn what_was_refused_leaves_nothing_behind() {
    let vitals = Vitals::new();
    assert!(named("a").failure_rate(0.0).build(&vitals).is_err());
    assert!(named("a").lease(Duration::ZERO).keyed(&vitals, 1).is_err());
    let breaker = named("a").failure_rate(0.5).build(&vitals).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}
