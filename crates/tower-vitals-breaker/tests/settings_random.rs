//! Random settings: each is an error when the breaker is built, or a breaker that works.
#![allow(clippy::unwrap_used)] // there is nothing but tests

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use proptest::{prelude::*, sample::select};
use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerBuilder, HalfOpen, OpenFor, Verdict, Window};
use tower_vitals_core::{Clock, ManualClock, Vitals, encode::Protocol};

const DAYS: Duration = Duration::from_secs(30 * 24 * 3600);

/// What is told besides conditions and windows.
#[derive(Clone, Debug)]
struct Opening {
    open_for: OpenFor,
    half_open: HalfOpen,
    lease: Duration,
    cap: Duration,
}

fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![1 => any::<f64>(), 15 => 0.0..=1.0_f64]
}

fn time() -> impl Strategy<Value = Duration> {
    let odd = vec![Duration::ZERO, Duration::from_nanos(1), DAYS, DAYS * 2, Duration::MAX];
    let usual = (1..=DAYS.as_secs()).prop_map(Duration::from_secs);
    prop_oneof![1 => select(odd), 15 => usual]
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![1 => any::<u32>(), 1 => Just(0), 30 => 1..20_u32]
}

fn opening() -> impl Strategy<Value = Opening> {
    let times = (time(), time(), time(), time(), time());
    let numbers = (number(), proptest::option::of(number()), rate(), rate(), rate());
    (times, numbers).prop_map(
        |((first, more, reset, lease, cap), (probes, at_once, failures, jitter, more_often))| {
            let half_open = HalfOpen::new(probes).failure_rate(failures);
            let longest = if first < more { more } else { first };
            let open_for = OpenFor::exponential(first, longest).multiplier(1.0 + 9.0 * more_often);
            Opening {
                open_for: open_for.jitter(jitter).reset_after(reset),
                half_open: at_once.map_or(half_open, |at_once| half_open.at_once(at_once)),
                lease,
                cap,
            }
        },
    )
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        time().prop_map(Window::time),
        number().prop_map(|calls| Window::count(calls.saturating_add(20) as usize)),
        number().prop_map(|calls| Window::count(calls as usize)),
    ]
}

fn builder() -> impl Strategy<Value = CircuitBreakerBuilder> {
    let name = prop_oneof![1 => any::<String>(), 3 => Just("a".to_owned())];
    let conditions = (rate(), number(), proptest::option::of((time(), rate())), number());
    (name, window(), conditions, opening()).prop_map(|(name, window, (rate, row, slow, minimum), opening)| {
        let builder = CircuitBreaker::builder(name).window(window).failure_rate(rate);
        let builder = builder.consecutive_failures(row).minimum_calls(minimum);
        let builder = match slow {
            Some((after, rate)) => builder.slow_calls(after, rate),
            None => builder,
        };
        let builder = builder.open_for(opening.open_for).half_open(opening.half_open);
        builder.lease(opening.lease).retry_after_cap(opening.cap).call_durations()
    })
}

/// Has it fail, open, half-open and be ordered about, at times that are as odd as the settings.
fn use_it(breaker: &CircuitBreaker, clock: &ManualClock, times: &[Duration]) {
    for time in times {
        let verdict = Verdict::FAILURE.with_retry_after(*time);
        let permits: Vec<_> = (0..20).map_while(|_| breaker.try_acquire().ok()).collect();
        clock.advance(*time);
        permits.into_iter().for_each(|permit| permit.record(verdict));
        let _ = (breaker.try_acquire(), breaker.status());
        breaker.force_open_for(*time);
        let _ = (breaker.try_acquire(), breaker.status());
        breaker.release();
    }
}

#[test]
fn they_never_panic() {
    let built = AtomicU32::new(0);
    let refused = AtomicU32::new(0);
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }, |(builder in builder(), times in proptest::collection::vec(time(), 1..5))| {
        let clock = ManualClock::new();
        let vitals = Vitals::builder().clock(Clock::manual(&clock)).build().unwrap();
        match builder.build(&vitals) {
            Ok(breaker) => {
                use_it(&breaker, &clock, &times);
                built.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                prop_assert!(error.to_string().starts_with("circuit breaker `"), "{error}");
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        drop(vitals.encode_to_string(Protocol::TEXT));
    });
    let (built, refused) = (built.into_inner(), refused.into_inner());
    assert!(built > 20 && refused > 20, "{built} were built, {refused} refused");
}
