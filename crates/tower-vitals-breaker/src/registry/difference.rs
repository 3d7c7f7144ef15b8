use std::{
    fmt::{Debug, Display},
    time::Duration,
};

use crate::settings::Settings;

/// The first setting in which two breakers of one name differ, with both values.
pub(super) fn difference(known: &Settings, new: &Settings) -> Option<String> {
    let both = |what: &str, of: &dyn Fn(&Settings) -> String| {
        let (there, here) = (of(known), of(new));
        (there != here).then(|| format!("the {what} is {there} there and {here} here"))
    };
    both("window", &|its| debug(its.window))
        .or_else(|| both("minimum of calls", &|its| its.minimum.to_string()))
        .or_else(|| both("number of consecutive failures", &|its| or_none(its.trip.consecutive)))
        .or_else(|| both("failure rate", &|its| or_none(its.trip.failure_rate)))
        .or_else(|| both("rate of slow calls", &|its| or_none(its.trip.slow_rate)))
        .or_else(|| {
            both("time after which calls are slow", &|its| {
                its.slow.map_or_else(none, |slow| time(slow.after))
            })
        })
        .or_else(|| both("open time", &|its| debug(its.open_for)))
        .or_else(|| both("round of half-open probes", &|its| debug(its.round)))
        .or_else(|| both("lease", &|its| time(its.lease)))
        .or_else(|| both("cap of `Retry-After`", &|its| time(its.retry_after_cap)))
        .or_else(|| both("recording of durations", &|its| debug(its.call_durations)))
        .or_else(|| (known != new).then(|| "internal rules differ".to_owned()))
}

fn debug(value: impl Debug) -> String {
    format!("{value:?}")
}

fn time(nanos: u64) -> String {
    debug(Duration::from_nanos(nanos))
}

fn or_none(value: Option<impl Display>) -> String {
    value.map_or_else(none, |value| value.to_string())
}

fn none() -> String {
    "none".to_owned()
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
            (builder().consecutive_failures(4), ["consecutive failures is none", "4 here"]),
            (builder().failure_rate(0.25), ["failure rate is 0.5", "0.25 here"]),
            (builder().slow_calls(second, 0.75), ["rate of slow calls is 0.5", "0.75"]),
            (builder().slow_calls(second * 2, 0.5), ["calls are slow is 1s", "2s here"]),
            (
                builder().open_for(OpenFor::constant(second)),
                ["open time", "multiplier: 1.0"],
            ),
            (builder().half_open(HalfOpen::new(2)), ["half-open", "probes: 2"]),
            (builder().lease(second), ["lease", "1s here"]),
            (builder().retry_after_cap(second), ["Retry-After", "1s here"]),
            (builder().call_durations(), ["durations is false", "true here"]),
        ];
        for (other, parts) in others {
            let said = difference(&plain, &other.settings().unwrap()).unwrap();
            assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        }
    }
}
