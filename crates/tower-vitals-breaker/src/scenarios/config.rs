//! How a breaker of ours is made to follow the rules of a scenario.

use std::time::Duration;

use super::schema::{Cancelled, Cmp, Config, EvalOn, HalfOpenOf, Ignored, Rule, StateRead, WindowOf};
use crate::{
    OpenFor, Window,
    recent::LazyWindow,
    settings::{Judged, Reaches, Round, Semantics, Settings, Slow, Trip, Verdicts, WindowKind},
};

/// A window that does not end in any scenario: half a year.
const ENDLESS: u64 = 1 << 54;

impl Config {
    /// What a breaker of ours is told.
    pub(super) fn settings(&self) -> Settings {
        let (trip, semantics) = (self.trip(), self.semantics());
        let full = u64::from(u32::MAX);
        let kind = match self.window {
            WindowOf::CountRing { size, .. } => WindowKind::Count { size },
            WindowOf::TimeAligned { bucket_ns, buckets } => WindowKind::Time {
                bucket: bucket_ns,
                buckets,
            },
            WindowOf::TimeLazy { .. } | WindowOf::Tumbling { .. } | WindowOf::None => WindowKind::Time {
                bucket: ENDLESS,
                buckets: 1,
            },
        };
        let size = if let WindowKind::Count { size } = kind { size } else { full };
        Settings {
            window: Window { kind },
            minimum: self.minimum().min(size),
            trip,
            slow: self.slow.as_ref().map(|slow| Slow {
                after: slow.threshold_ns,
            }),
            open_for: self.open_for(),
            round: self.round(trip, &semantics),
            lease: self.half_open.max_wait_ns.unwrap_or(u64::MAX),
            retry_after_cap: 0,
            call_durations: false,
            semantics,
        }
    }

    /// The window that no breaker of ours has.
    pub(super) fn lazy_window(&self) -> Option<LazyWindow> {
        match self.window {
            WindowOf::TimeLazy { width_ns, sampling_ns } => Some(LazyWindow::new(width_ns, sampling_ns)),
            _ => None,
        }
    }

    /// Whether the open time's end alone makes the state half-open.
    pub(super) fn half_opens_by_itself(&self) -> bool {
        self.open.auto || self.state_read == StateRead::Advance
    }

    fn semantics(&self) -> Semantics {
        let below = self.trip.iter().any(|trip| trip.success_rate_lt.is_some());
        let at_least = self
            .trip
            .iter()
            .any(|trip| trip.failure_rate_gte.or(trip.slow_rate_gte).is_some());
        assert!(!(below && at_least), "rates are compared in one way");
        Semantics {
            judged: match self.eval_on {
                EvalOn::Any => Judged::EveryResult,
                EvalOn::Failure => Judged::Failures,
            },
            rate: if below { Reaches::Above } else { Reaches::AtLeast },
            slow: self.slow.as_ref().map_or(Reaches::AtLeast, |slow| slow.cmp.reaches()),
            open_time: self.open.cmp.reaches(),
            ignored_succeeds: self.ignored == Ignored::Success,
            cancelled_probe_fails: self.cancelled == Some(Cancelled::Reopen),
            verdicts: match self.half_open.rule {
                Rule::RateAfterN | Rule::Recloser => Verdicts::AfterAll,
                Rule::Failsafe if self.half_open.ratio().is_none() => Verdicts::AfterAll,
                Rule::Failsafe | Rule::NSuccessesAnyFailure => Verdicts::WhenCertain,
            },
            places_return: self.half_open.release_on_complete || self.half_open.has_more_places_than_needed(),
            full_before: matches!(
                self.window,
                WindowOf::CountRing {
                    evaluate_only_if_full_before: true,
                    ..
                }
            ),
        }
    }

    fn trip(&self) -> Trip {
        let mut all = Trip::default();
        for trip in &self.trip {
            if trip.consecutive_gte.or(trip.failures_gte.map(|_| 0)).is_some() {
                assert_eq!(trip.min_calls, None, "only rates rest on a minimum");
            }
            all.consecutive = all.consecutive.or(trip.consecutive_gte);
            all.failures = all.failures.or(trip.failures_gte);
            // What is left of 1 is not exact.
            let fails = trip.success_rate_lt.map(|rate| ((1.0 - rate) * 1e9).round() / 1e9);
            all.failure_rate = all.failure_rate.or(trip.failure_rate_gte).or(fails);
            all.slow_rate = all.slow_rate.or(trip.slow_rate_gte);
        }
        assert!(all.slow_rate.is_none() || self.slow.is_some(), "slow, but when?");
        all
    }

    fn minimum(&self) -> u64 {
        let mut all: Vec<_> = self.trip.iter().filter_map(|trip| trip.min_calls).collect();
        all.dedup();
        assert!(all.len() < 2, "one minimum for all rates");
        all.first().copied().unwrap_or(0)
    }

    fn open_for(&self) -> OpenFor {
        match (&self.open.wait_ns, &self.open.backoff) {
            (Some(wait), None) => OpenFor::constant(Duration::from_nanos(*wait)),
            (None, Some(backoff)) => {
                OpenFor::exponential(Duration::from_nanos(backoff.base_ns), Duration::from_nanos(backoff.max_ns))
                    .multiplier(backoff.mult)
                    .jitter(0.0)
                    .reset_after(Duration::ZERO)
            }
            _ => panic!("either always the same open time or one that grows"),
        }
    }

    fn round(&self, trip: Trip, semantics: &Semantics) -> Round {
        let half_open = &self.half_open;
        let least = |rate: Option<f64>, of: u32| {
            let reaches = |part: &u32| rate.is_some_and(|rate| semantics.rate.holds(f64::from(*part) / f64::from(of), rate));
            (1..=of).find(reaches).unwrap_or(u32::MAX)
        };
        let of_rates = |probes| (probes, least(trip.failure_rate, probes), least(trip.slow_rate, probes));
        let (probes, failures, slow) = match half_open.rule {
            Rule::RateAfterN => of_rates(half_open.n.unwrap()),
            Rule::NSuccessesAnyFailure => (half_open.n.unwrap(), 1, u32::MAX),
            Rule::Failsafe => match half_open.ratio() {
                Some((probes, failures)) => (probes, failures, u32::MAX),
                None => of_rates(u32::try_from(self.minimum()).unwrap()),
            },
            // It decides with the result after its ring is full.
            Rule::Recloser => {
                let len = half_open.len.unwrap();
                (len + 1, least(half_open.threshold, len), u32::MAX)
            }
        };
        Round {
            probes,
            at_once: half_open.permits.unwrap_or(probes),
            failures,
            slow,
        }
    }
}

impl HalfOpenOf {
    /// Of how many results how many failures open: Failsafe says either how many must succeed or how many must fail.
    fn ratio(&self) -> Option<(u32, u32)> {
        let some = |number: Option<u32>| number.filter(|number| *number > 0);
        match (some(self.success_threshold), some(self.failure_threshold)) {
            (Some(successes), _) => {
                let of = some(self.success_capacity).unwrap_or(successes);
                Some((of, of - successes + 1))
            }
            (None, Some(failures)) => Some((some(self.failure_capacity).unwrap_or(failures), failures)),
            (None, None) => None,
        }
    }

    /// Whether more probes may be on their way than decide.
    fn has_more_places_than_needed(&self) -> bool {
        self.permits.zip(self.n).is_some_and(|(permits, needed)| permits > needed)
    }
}

impl Cmp {
    fn reaches(self) -> Reaches {
        match self {
            Self::Above => Reaches::Above,
            Self::AtLeast => Reaches::AtLeast,
        }
    }
}
