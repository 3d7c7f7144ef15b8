//! What other breakers were seen to do wrong.
#![allow(clippy::unwrap_used)] // there is nothing but tests

use std::time::Duration;

use tower_vitals_core::{Clock, ManualClock, Vitals};

use crate::{CircuitBreaker, CircuitBreakerBuilder, HalfOpen, OpenFor, Outcome, Permit, State, Verdict, Window};

const OPEN_FOR: Duration = Duration::from_millis(50);

fn build(builder: CircuitBreakerBuilder) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&clock)).build().unwrap();
    let breaker = builder.open_for(OpenFor::constant(OPEN_FOR)).build(&vitals).unwrap();
    (breaker, clock)
}

fn of_ten_calls() -> CircuitBreakerBuilder {
    let builder = CircuitBreaker::builder("b").window(Window::count(10));
    builder.failure_rate(0.5).minimum_calls(10)
}

fn take(breaker: &CircuitBreaker) -> Permit {
    breaker.try_acquire().unwrap()
}

fn call(breaker: &CircuitBreaker, calls: usize, verdict: Verdict) {
    (0..calls).for_each(|_| take(breaker).record(verdict));
}

#[test]
fn a_count_window_evicts() {
    let (breaker, _clock) = build(of_ten_calls());
    call(&breaker, 1000, Verdict::SUCCESS);
    call(&breaker, 4, Verdict::FAILURE);
    assert_eq!(breaker.state(), State::Closed);
    call(&breaker, 1, Verdict::FAILURE);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn the_state_has_one_value() {
    let (breaker, clock) = build(of_ten_calls().half_open(HalfOpen::new(1)));
    let mut seen = vec![breaker.state().code()];
    call(&breaker, 10, Verdict::FAILURE);
    seen.push(breaker.state().code());
    clock.advance(OPEN_FOR);
    let probe = take(&breaker);
    seen.push(breaker.state().code());
    probe.record(Verdict::SUCCESS);
    seen.push(breaker.state().code());
    assert_eq!(seen, [0, 1, 2, 0]);
}

#[test]
fn stale_results_drive_no_transitions() {
    let (breaker, clock) = build(of_ten_calls().half_open(HalfOpen::new(1)));
    let late: Vec<_> = (0..20).map(|_| take(&breaker)).collect();
    call(&breaker, 10, Verdict::FAILURE);
    clock.advance(OPEN_FOR);
    let probe = take(&breaker);
    let mut late = late.into_iter();
    late.by_ref().take(5).for_each(|permit| permit.record(Verdict::SUCCESS));
    late.by_ref().take(5).for_each(|permit| permit.record(Verdict::FAILURE));
    assert_eq!(breaker.state(), State::HalfOpen);
    probe.record(Verdict::SUCCESS);
    late.for_each(|permit| permit.record(Verdict::FAILURE));
    assert_eq!(breaker.state(), State::Closed);
    let snapshot = breaker.shared().snapshot();
    assert_eq!(snapshot.recent.total, 0);
    assert_eq!(snapshot.totals.calls(Outcome::Stale), 20);
}

#[test]
fn probes_further_apart_than_the_time_window_decide() {
    let builder = CircuitBreaker::builder("b").window(Window::time(Duration::from_millis(50)));
    let builder = builder.failure_rate(0.5).minimum_calls(4).half_open(HalfOpen::new(3));
    let (breaker, clock) = build(builder);
    call(&breaker, 4, Verdict::FAILURE);
    for _ in 0..3 {
        clock.advance(Duration::from_millis(80));
        assert_ne!(breaker.state(), State::Closed);
        call(&breaker, 1, Verdict::SUCCESS);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_probe_that_hangs_holds_up_nothing_for_longer_than_its_lease() {
    let lease = Duration::from_secs(10);
    let (breaker, clock) = build(of_ten_calls().half_open(HalfOpen::new(1)).lease(lease));
    call(&breaker, 10, Verdict::FAILURE);
    clock.advance(OPEN_FOR);
    let hung = take(&breaker);
    assert!(breaker.try_acquire().is_err());
    clock.advance(lease);
    assert!(breaker.try_acquire().is_err());
    assert_eq!(breaker.state(), State::Open);
    clock.advance(OPEN_FOR);
    let probe = take(&breaker);
    hung.record(Verdict::FAILURE);
    probe.record(Verdict::SUCCESS);
    assert_eq!(breaker.state(), State::Closed);
}
