use std::sync::{Mutex, PoisonError};

use super::{Counts, Mark};

/// A window of time whose buckets begin with the first result after the last one's end, as Polly has it.
#[derive(Debug)]
pub(crate) struct LazyWindow {
    /// How long a bucket takes results, in nanoseconds.
    width: u64,
    /// How long a bucket counts from its beginning on.
    sampling: u64,
    buckets: Mutex<Vec<(u64, Counts)>>,
}

impl LazyWindow {
    pub(crate) fn new(width: u64, sampling: u64) -> Self {
        Self {
            width,
            sampling,
            buckets: Mutex::default(),
        }
    }

    pub(crate) fn begin(&self) {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn record(&self, now: u64, mark: Mark) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.last().is_none_or(|(began, _)| now - began >= self.width) {
            buckets.push((now, Counts::default()));
        }
        if let Some((_, counts)) = buckets.last_mut() {
            counts.total += 1;
            counts.failed += u64::from(mark.failed);
            counts.slow += u64::from(mark.slow);
        }
        true
    }

    pub(crate) fn counts(&self, now: u64) -> Counts {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Counts::default();
        for (_, counts) in buckets.iter().filter(|(began, _)| now - began < self.sampling) {
            all.total += counts.total;
            all.failed += counts.failed;
            all.slow += counts.slow;
        }
        all
    }
}
