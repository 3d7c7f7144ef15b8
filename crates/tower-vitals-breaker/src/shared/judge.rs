//! Whether results are bad enough to open.

use super::{Shared, window::When};
use crate::{
    TransitionReason,
    machine::Change,
    recent::{Counts, Mark},
    settings::Judged,
    verdict::{Kind, Verdict},
};

impl Shared {
    /// Looks whether the results are bad enough to open.
    #[cold]
    #[inline(never)]
    pub(super) fn judge(&self, generation: u64, verdict: Verdict, mark: Mark, when: When) {
        let is_hard = matches!(verdict.kind(), Kind::Failure | Kind::Timeout | Kind::Panicked);
        let row = if is_hard { self.consecutive.fail(generation) } else { 0 };
        if let Some(until) = self.asks_until(verdict, when.now) {
            self.control().machine.leave_alone(generation, until);
        }
        if self.settings.semantics.judged == Judged::Failures && !mark.is_trouble() {
            return;
        }
        if let Some(reason) = self.reason(generation, row, when) {
            self.trip(generation, reason, when.now);
        }
    }

    /// The reason for which a closed breaker is to open, if there is one.
    fn reason(&self, generation: u64, row: u32, when: When) -> Option<TransitionReason> {
        let trip = self.settings.trip;
        if trip.consecutive.is_some_and(|most| row >= most) {
            return Some(TransitionReason::ConsecutiveFailures);
        }
        if trip.failures.is_none() && trip.failure_rate.is_none() && trip.slow_rate.is_none() {
            self.window.note_calm(when);
            return None;
        }
        let counts = self.window_counts(generation, when);
        if trip.failures.is_some_and(|most| counts.failed >= most) {
            return Some(TransitionReason::FailureRate);
        }
        let semantics = self.settings.semantics;
        if counts.total < self.settings.minimum || counts.total == 0 || (semantics.full_before && !counts.was_full) {
            return None;
        }
        let reaches =
            |part: u64, rate: Option<f64>| rate.is_some_and(|rate| semantics.rate.holds(ratio(part, counts.total), rate));
        if reaches(counts.failed, trip.failure_rate) {
            Some(TransitionReason::FailureRate)
        } else if reaches(counts.slow, trip.slow_rate) {
            Some(TransitionReason::SlowCallRate)
        } else {
            self.window.note_calm(when);
            None
        }
    }

    /// What the window of a generation holds.
    pub(super) fn window_counts(&self, generation: u64, when: When) -> Counts {
        self.window.counts(&self.cells, generation, when)
    }

    #[cold]
    fn trip(&self, generation: u64, reason: TransitionReason, now: u64) {
        let mut control = self.control();
        let tripped = control.machine.trip(&self.settings, generation, reason, now, fastrand::f64());
        let change = tripped.map_or(Change::NONE, Change::from);
        self.publish(&mut control, change, now);
        drop(control);
        self.tell(change);
    }
}

/// How large a part is of a whole.
#[allow(clippy::cast_precision_loss)] // both are below 2^53 by far
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
