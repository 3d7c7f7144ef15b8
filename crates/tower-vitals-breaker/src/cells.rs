//! What each shard of threads counts for itself.

use std::array;

use crate::{
    Outcome, RejectReason,
    recent::{Bucket, ring},
    sync::atomic::{AtomicU64, Ordering},
};

/// Counts of a breaker's calls, and its time window.
#[derive(Debug)]
pub(crate) struct Cells {
    counts: [AtomicU64; COUNTS],
    pub(crate) ring: Box<[Bucket]>,
}

const OUTCOMES: usize = 9;
const REASONS: usize = 3;
const COUNTS: usize = OUTCOMES + 2 * REASONS;

/// Buckets that are never used, to keep those of one shard clear of what lies behind them.
const MARGIN: usize = 6;

/// What was counted, all shards added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    counts: [u64; COUNTS],
}

impl Cells {
    /// For a time window of so many buckets.
    pub(crate) fn new(buckets: u64) -> Self {
        Self {
            counts: array::from_fn(|_| AtomicU64::new(0)),
            ring: ring(buckets),
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
        let mut another = Self::new(0);
        another.ring = ring((self.ring.len() + MARGIN) as u64);
        another
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
