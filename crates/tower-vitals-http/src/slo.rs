use std::time::Duration;

use http::StatusCode;
use tower_vitals_core::closed_label;

use crate::Outcome;

/// How quick the requests of a route should be: the objective that `http_slo_requests_total{route,verdict}` counts them by.
///
/// A request is `good` when it took at most the good time, `tolerable` when it took at most the tolerable time, and else `bad`.
/// Whatever failed, panicked or was answered with a status of 5xx is `bad`, however quick it was. Where the caller went away first, it
/// is `bad` if it had waited longer than the tolerable time; before that nobody knows how long it would have taken, and nothing is
/// counted.
///
/// The two times are those of [apdex](https://en.wikipedia.org/wiki/Apdex), which PromQL has from the counters:
/// ```text
/// sum by (route) (
///   rate(http_slo_requests_total{verdict="good"}[5m])
///   or rate(http_slo_requests_total{verdict="tolerable"}[5m]) / 2
///   or rate(http_slo_requests_total{verdict="bad"}[5m]) * 0
/// ) / sum by (route) (rate(http_slo_requests_total[5m]))
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "it does nothing until a layer has it"]
pub struct Slo {
    good: Duration,
    tolerable: Duration,
}

closed_label! {
    /// What an objective says about a request.
    pub(crate) enum Verdict {
        Good => "good",
        Tolerable => "tolerable",
        Bad => "bad",
    }
}

impl Slo {
    /// Requests are good up to this time, and tolerable up to four times of it, as apdex has it. Zero is an error when the layer is
    /// built.
    pub const fn new(good: Duration) -> Self {
        Self {
            good,
            tolerable: good.saturating_mul(4),
        }
    }

    /// Requests are tolerable up to this time. Less than the good time is an error when the layer is built.
    pub const fn tolerable(mut self, tolerable: Duration) -> Self {
        self.tolerable = tolerable;
        self
    }

    /// The rule that the times break.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { good, tolerable } = self;
        if good.is_zero() {
            return Err("the good time of an SLO must be longer than zero".into());
        }
        if tolerable < good {
            return Err(format!(
                "the tolerable time of an SLO must not be shorter than the good time: {tolerable:?}, {good:?}"
            ));
        }
        Ok(())
    }

    /// Judges a request that ended, unless it cannot be judged.
    pub(crate) fn judge(&self, outcome: Outcome, status: Option<StatusCode>, took: Duration) -> Option<Verdict> {
        if status.is_some_and(|status| status.is_server_error()) {
            return Some(Verdict::Bad);
        }
        match outcome {
            Outcome::Failed | Outcome::Panicked => Some(Verdict::Bad),
            Outcome::Completed if took <= self.good => Some(Verdict::Good),
            Outcome::Completed if took <= self.tolerable => Some(Verdict::Tolerable),
            Outcome::Completed => Some(Verdict::Bad),
            Outcome::Aborted => (took > self.tolerable).then_some(Verdict::Bad),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLO: Slo = Slo::new(Duration::from_millis(100));

    fn after(micros: u64, outcome: Outcome, status: u16) -> Option<Verdict> {
        SLO.judge(outcome, StatusCode::from_u16(status).ok(), Duration::from_micros(micros))
    }

    #[test]
    fn what_completed_is_judged_by_its_time() {
        for (micros, verdict) in [
            (0, Verdict::Good),
            (100_000, Verdict::Good),
            (100_001, Verdict::Tolerable),
            (400_000, Verdict::Tolerable),
            (400_001, Verdict::Bad),
        ] {
            for status in [200, 304, 404, 499, 600] {
                assert_eq!(after(micros, Outcome::Completed, status), Some(verdict), "{micros} {status}");
            }
        }
    }

    #[test]
    fn what_went_wrong_is_bad_at_once() {
        for status in [500, 503, 599] {
            for outcome in [Outcome::Completed, Outcome::Aborted, Outcome::Failed, Outcome::Panicked] {
                assert_eq!(after(1, outcome, status), Some(Verdict::Bad), "{outcome:?} {status}");
            }
        }
        for status in [0, 200] {
            for outcome in [Outcome::Failed, Outcome::Panicked] {
                assert_eq!(after(1, outcome, status), Some(Verdict::Bad), "{outcome:?} {status}");
            }
        }
    }

    #[test]
    fn who_went_away_counts_only_after_the_tolerable_time() {
        for status in [0, 200] {
            assert_eq!(after(1, Outcome::Aborted, status), None);
            assert_eq!(after(400_000, Outcome::Aborted, status), None);
            assert_eq!(after(400_001, Outcome::Aborted, status), Some(Verdict::Bad));
        }
    }

    #[test]
    fn the_tolerable_time_can_be_set() {
        let slo = SLO.tolerable(Duration::from_millis(150));
        let took = Duration::from_millis(151);
        assert_eq!(slo.judge(Outcome::Completed, None, took), Some(Verdict::Bad));
        assert_eq!(SLO.judge(Outcome::Completed, None, took), Some(Verdict::Tolerable));
        // Nothing is between the two.
        let strict = SLO.tolerable(Duration::from_millis(100));
        assert_eq!(strict.check(), Ok(()));
        assert_eq!(strict.judge(Outcome::Completed, None, took), Some(Verdict::Bad));
        assert_eq!(SLO, SLO.tolerable(Duration::from_millis(400)));
        assert_eq!(Slo::new(Duration::MAX).check(), Ok(()));
    }

    #[test]
    fn times_that_make_no_sense_are_refused() {
        let zero = Slo::new(Duration::ZERO).check().unwrap_err();
        assert_eq!(zero, "the good time of an SLO must be longer than zero");
        let inverted = SLO.tolerable(Duration::from_millis(50)).check().unwrap_err();
        assert_eq!(
            inverted,
            "the tolerable time of an SLO must not be shorter than the good time: 50ms, 100ms"
        );
    }
}
