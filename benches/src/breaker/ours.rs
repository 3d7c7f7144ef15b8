//! tower-vitals: its own defaults, but a breaker that is open stays so for as long as anybody measures.

use std::{convert::identity, future::ready};

use tower::Layer as _;
use tower_vitals::{
    BreakerError, CircuitBreaker, CircuitBreakerLayer, Vitals,
    breaker::{CircuitBreakerBuilder, OpenFor, Window},
};

use super::{
    OPEN, bare,
    call::{self, Breaker, Failed, Outcome},
};

pub(super) fn service() -> impl Breaker {
    service_of(breaker(&Vitals::new()))
}

/// A window of calls in place of one of time.
pub(super) fn count_window() -> impl Breaker {
    service_of(built(settings().window(Window::count(100)), &Vitals::new()))
}

pub(super) fn future() -> impl Breaker {
    future_of(breaker(&Vitals::new()))
}

pub(super) fn permit() -> impl Breaker {
    permit_of(breaker(&Vitals::new()))
}

fn service_of(breaker: CircuitBreaker) -> impl Breaker {
    call::service(CircuitBreakerLayer::new(breaker).layer(bare::far_end()), outcome)
}

fn future_of(breaker: CircuitBreaker) -> impl Breaker {
    move |answer| outcome(&call::finish(breaker.call(ready(answer))))
}

fn permit_of(breaker: CircuitBreaker) -> impl Breaker {
    move |answer| {
        let Ok(permit) = breaker.try_acquire() else {
            return Outcome::Rejected;
        };
        let answer = identity(answer);
        permit.record_result(&answer);
        Outcome::of(&answer)
    }
}

fn breaker(vitals: &Vitals) -> CircuitBreaker {
    built(settings(), vitals)
}

fn settings() -> CircuitBreakerBuilder {
    CircuitBreaker::builder("inventory").open_for(OpenFor::constant(OPEN))
}

fn built(settings: CircuitBreakerBuilder, vitals: &Vitals) -> CircuitBreaker {
    settings.build(vitals).expect("nothing is set that could be wrong")
}

fn outcome(result: &Result<(), BreakerError<Failed>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Success,
        Err(BreakerError::Inner(Failed)) => Outcome::Failure,
        Err(BreakerError::Rejected(_)) => Outcome::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use tower_vitals::encode::Protocol;

    use super::*;

    #[test]
    fn calls_are_rejected() {
        call::assert_opens_after(5, service());
        call::assert_opens_after(5, count_window());
        call::assert_opens_after(5, future());
        call::assert_opens_after(5, permit());
    }

    #[test]
    fn calls_are_counted() {
        fn count<B: Breaker>(through: fn(CircuitBreaker) -> B) {
            let vitals = Vitals::new();
            call::assert_opens_after(5, through(breaker(&vitals)));
            let scrape = vitals.encode_to_string(Protocol::TEXT);
            for sample in [
                r#"circuit_breaker_calls_total{breaker="inventory",outcome="success"} 1"#,
                r#"circuit_breaker_calls_total{breaker="inventory",outcome="failure"} 5"#,
                r#"circuit_breaker_rejected_total{breaker="inventory",reason="open"} 3"#,
            ] {
                assert!(scrape.lines().any(|line| line == sample), "no {sample} in\n{scrape}");
            }
        }
        count(service_of);
        count(future_of);
        count(permit_of);
    }
}
