//! What each shard of threads counts for itself.

use std::array;

use tower_vitals_core::ClosedLabel;

use crate::{
    Outcome, RejectReason,
    recent::Ring,
    sync::atomic::{AtomicU64, Ordering},
};

/// Counts of a breaker's calls, and what a time window would count.
#[derive(Debug)]
pub(crate) struct Cells {
    counts: [AtomicU64; COUNTS],
    pub(crate) ring: Ring,
}

const OUTCOMES: usize = Outcome::ALL.len();
const REASONS: usize = RejectReason::ALL.len();
const COUNTS: usize = OUTCOMES + 2 * REASONS;

/// What was counted, all shards added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    counts: [u64; COUNTS],
}

impl Cells {
    pub(crate) fn new() -> Self {
        Self {
            counts: array::from_fn(|_| AtomicU64::new(0)),
            ring: Ring::default(),
        }
    }

    #[inline]
    pub(crate) fn count(&self, outcome: Outcome) {
        self.counts[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn reject(&self, reason: RejectReason) {
        self.counts[OUTCOMES + reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn would_reject(&self, reason: RejectReason) {
        self.counts[OUTCOMES + REASONS + reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_to(&self, totals: &mut Totals) {
        for (total, count) in totals.counts.iter_mut().zip(&self.counts) {
            *total = total.wrapping_add(count.load(Ordering::Relaxed));
        }
    }
}

impl tower_vitals_core::sharded::Words for Cells {
    fn another(&self) -> Self {
        Self::new()
    }
}

impl Totals {
    pub(crate) fn calls(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize]
    }

    pub(crate) fn rejected(&self, reason: RejectReason) -> u64 {
        self.counts[OUTCOMES + reason as usize]
    }

    pub(crate) fn would_reject(&self, reason: RejectReason) -> u64 {
        self.counts[OUTCOMES + REASONS + reason as usize]
    }
}
