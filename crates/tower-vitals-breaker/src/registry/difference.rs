use std::fmt::Debug;

use crate::settings::Settings;

/// The first setting in which two breakers of one name differ, with both values.
pub(super) fn difference(known: &Settings, new: &Settings) -> Option<String> {
    let (there, here) = (&known.trip, &new.trip);
    differs("window", &known.window, &new.window)
        .or_else(|| differs("minimum of calls", &known.minimum, &new.minimum))
        .or_else(|| differs("number of consecutive failures", &there.consecutive, &here.consecutive))
        .or_else(|| differs("failure rate", &there.failure_rate, &here.failure_rate))
        .or_else(|| differs("rate of slow calls", &there.slow_rate, &here.slow_rate))
        .or_else(|| differs("time after which calls are slow", &known.slow, &new.slow))
        .or_else(|| differs("open time", &known.open_for, &new.open_for))
        .or_else(|| differs("round of half-open probes", &known.round, &new.round))
        .or_else(|| differs("lease in nanoseconds", &known.lease, &new.lease))
        .or_else(|| {
            let cap = "cap of `Retry-After` in nanoseconds";
            differs(cap, &known.retry_after_cap, &new.retry_after_cap)
        })
        .or_else(|| differs("recording of durations", &known.call_durations, &new.call_durations))
        .or_else(|| (known != new).then(|| "internal rules differ".to_owned()))
}

fn differs<T: Debug + PartialEq>(what: &str, known: &T, new: &T) -> Option<String> {
    (known != new).then(|| format!("the {what} is {known:?} there and {new:?} here"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{CircuitBreaker, HalfOpen, OpenFor, Window};

    #[test]
    fn each_setting_that_differs_is_named_with_both_values() {
        let builder = || {
            CircuitBreaker::builder("a")
                .failure_rate(0.5)
                .slow_calls(Duration::from_secs(1), 0.5)
        };
        let plain = builder().settings().unwrap();
        assert_eq!(difference(&plain, &plain.clone()), None);
        let second = Duration::from_secs(1);
        let others = [
            (
                builder().window(Window::count(7)).minimum_calls(7),
                ["window", "Count { size: 7 }"],
            ),
            (builder().minimum_calls(3), ["minimum of calls is 20", "3 here"]),
            (
                builder().consecutive_failures(4),
                ["consecutive failures is None", "Some(4) here"],
            ),
            (builder().failure_rate(0.25), ["failure rate is Some(0.5)", "Some(0.25) here"]),
            (
                builder().slow_calls(second, 0.75),
                ["rate of slow calls is Some(0.5)", "0.75"],
            ),
            (builder().slow_calls(second * 2, 0.5), ["calls are slow", "after: 2000000000"]),
            (
                builder().open_for(OpenFor::constant(second)),
                ["open time", "multiplier: 1.0"],
            ),
            (builder().half_open(HalfOpen::new(2)), ["half-open", "probes: 2"]),
            (builder().lease(second), ["lease", "1000000000 here"]),
            (builder().retry_after_cap(second), ["Retry-After", "1000000000 here"]),
            (builder().call_durations(), ["durations is false", "true here"]),
        ];
        for (other, parts) in others {
            let said = difference(&plain, &other.settings().unwrap()).unwrap();
            assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        }
    }
}
