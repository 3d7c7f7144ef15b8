//! failsafe: its default policy of a moving success rate or failures in a row. It knows neither Tower nor metrics.

use std::{future::ready, time::Duration};

use failsafe::{
    CircuitBreaker, Config, Error, FailurePolicy, Instrument, StateMachine, backoff, failure_policy,
    futures::CircuitBreaker as CircuitBreakerOfFutures,
};

use crate::breaker::{
    OPEN,
    call::{self, Breaker, Failed, Outcome},
};

pub(in crate::breaker) fn future() -> impl Breaker {
    let breaker = breaker();
    move |answer| outcome(&call::finish(CircuitBreakerOfFutures::call(&breaker, ready(answer))))
}

pub(in crate::breaker) fn function() -> impl Breaker {
    let breaker = breaker();
    move |answer| outcome(&CircuitBreaker::call(&breaker, || answer))
}

/// What `Config::new` makes, with another time to stay open.
fn breaker() -> StateMachine<impl FailurePolicy + Send + Sync + 'static, impl Instrument + Send + Sync + 'static> {
    let backoff = backoff::constant(OPEN);
    let rate = failure_policy::success_rate_over_time_window(0.8, 5, Duration::from_secs(30), backoff.clone());
    let policy = rate.or_else(failure_policy::consecutive_failures(5, backoff));
    Config::new().failure_policy(policy).build()
}

fn outcome(result: &Result<(), Error<Failed>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Success,
        Err(Error::Inner(Failed)) => Outcome::Failure,
        Err(Error::Rejected) => Outcome::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_rejected() {
        call::assert_opens_after(5, future());
        call::assert_opens_after(5, function());
    }
}
