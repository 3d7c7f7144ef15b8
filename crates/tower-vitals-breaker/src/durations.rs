//! How long calls took: a histogram for those breakers that want it.

use std::{fmt, sync::OnceLock, time::Duration};

use tower_vitals_core::{ClosedLabel, Handle, Histogram, HistogramFamily, RegisterError, Vitals};

use crate::{Outcome, metrics::house};

/// In seconds: calls within a host and around the world, and those that run into the usual time limits.
const BOUNDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// The family of all breakers.
pub(crate) fn family(vitals: &Vitals) -> Result<HistogramFamily<2>, RegisterError> {
    let help = "How long calls took that the circuit breaker let through, by how they ended";
    house(vitals.histogram("circuit_breaker_call_duration_seconds", help))
        .buckets(BOUNDS)
        .closed::<Outcome>("outcome")
        // Breakers come from code or have a budget of their own.
        .budget("breaker", usize::MAX)
        .series_budget(usize::MAX)
        // Only a family that expires forgets the names of breakers that are gone. Series are held, so none goes by itself.
        .expire_after(Duration::MAX)
        .labels(["breaker", "outcome"])
}

/// Takes the series of a breaker that is gone out of the scrapes.
pub(crate) fn remove(family: &HistogramFamily<2>, breaker: &str) {
    for outcome in Outcome::VALUES {
        family.remove([breaker, outcome]);
    }
}

/// How long the calls of a breaker took, by outcome. A series is made when the first call ends so.
pub(crate) struct Durations {
    family: HistogramFamily<2>,
    breaker: Box<str>,
    series: [OnceLock<Handle<Histogram>>; Outcome::VALUES.len()],
}

impl Durations {
    pub(crate) fn new(family: HistogramFamily<2>, breaker: &str) -> Self {
        Self {
            family,
            breaker: breaker.into(),
            series: Default::default(),
        }
    }

    /// Records a call that took so many nanoseconds.
    pub(crate) fn observe(&self, outcome: Outcome, took: u64) {
        let series = self.series[outcome as usize].get_or_init(|| self.family.with([&*self.breaker, outcome.as_str()]).hold());
        series.observe_nanos(took);
    }
}

impl fmt::Debug for Durations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durations")
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}
