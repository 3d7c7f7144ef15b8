//! tower-resilience-circuitbreaker, around a Tower service. With the feature `rivals` it has its metrics, which it records through the
//! crate metrics.

use std::time::Duration;

use tower::Layer;
use tower_resilience_circuitbreaker::{
    CircuitBreakerConfigBuilder, CircuitBreakerError, CircuitBreakerLayer, DefaultClassifier, SlidingWindowType,
};

use crate::breaker::{
    OPEN, bare,
    call::{self, Breaker, Failed, Outcome, State},
};
#[cfg(feature = "rivals")]
use crate::rivals::recorder;

/// Its name for itself, which is a label where it has metrics.
const NAME: &str = "inventory";

pub(in crate::breaker) fn count_window() -> impl Breaker {
    breaker(settings())
}

/// A window of time that no run is long enough to leave.
pub(in crate::breaker) fn time_window() -> impl Breaker {
    let window = settings()
        .sliding_window_type(SlidingWindowType::TimeBased)
        .sliding_window_duration(Duration::from_secs(10));
    breaker(window)
}

/// While it is open, a thread that finds its lock taken sleeps for a millisecond, by a timer of a tokio runtime.
pub(in crate::breaker) fn does_not_sleep(state: State, threads: usize) -> bool {
    state == State::Closed || threads == 1
}

/// With a window of time it looks at every call that is in there, so its time grows with the run.
pub(in crate::breaker) fn repeats(_: State, _: usize) -> bool {
    false
}

fn settings() -> CircuitBreakerConfigBuilder<DefaultClassifier> {
    CircuitBreakerLayer::builder().name(NAME).wait_duration_in_open(OPEN)
}

fn breaker(settings: CircuitBreakerConfigBuilder<DefaultClassifier>) -> impl Breaker {
    #[cfg(feature = "rivals")]
    recorder::install();
    let layer = settings.build().expect("nothing is set that could be wrong");
    call::service(layer.layer(bare::far_end()), outcome)
}

fn outcome(result: &Result<(), CircuitBreakerError<Failed>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Success,
        Err(CircuitBreakerError::Inner(Failed)) => Outcome::Failure,
        Err(CircuitBreakerError::OpenCircuit) => Outcome::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_rejected() {
        call::assert_opens_after(99, count_window());
        call::assert_opens_after(99, time_window());
    }

    #[cfg(feature = "rivals")]
    #[test]
    fn calls_are_recorded() {
        call::assert_opens_after(99, breaker(settings().name("recorded")));
        let scrape = recorder::install().render();
        for (outcome, calls) in [("success", 1), ("failure", 99), ("rejected", 3)] {
            let sample = format!(r#"circuitbreaker_calls_total{{circuitbreaker="recorded",outcome="{outcome}"}} {calls}"#);
            assert!(scrape.contains(&sample), "{scrape}");
        }
    }
}
