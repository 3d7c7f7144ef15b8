use super::{Counts, Mark};
use crate::sync::atomic::{AtomicU64, Ordering};

/// A window of time, cut into buckets.
///
/// The buckets themselves lie with the threads that fill them, in rings ([`ring`]); here is what all share: how a time becomes the
/// number of a bucket. Each word of a bucket carries that number beside its count, so a bucket that comes round again is emptied by
/// the first result that counts in it, and nothing has to be swept.
#[derive(Debug)]
pub(crate) struct TimeWindow {
    /// In nanoseconds.
    width: u64,
    buckets: u64,
    /// When there was nothing.
    made: u64,
    /// Added to the time since then: it makes buckets begin when the breaker closes, and leaves those before out of the window.
    shift: AtomicU64,
    /// One more than the number of the last bucket with a failure or slow call; 0 when there was none.
    trouble: AtomicU64,
}

/// What ended in a part of the window: three words of a number and a count each.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    total: AtomicU64,
    failed: AtomicU64,
    slow: AtomicU64,
}

/// The bits of a count; the number of the bucket is above. A count that is full stays so. Numbers come round after two years of the
/// shortest buckets.
const COUNT_BITS: u32 = 28;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
const NUMBER: u64 = (1 << (64 - COUNT_BITS)) - 1;

/// Empty buckets for a window.
pub(crate) fn ring(buckets: u64) -> Box<[Bucket]> {
    (0..buckets).map(|_| Bucket::default()).collect()
}

impl TimeWindow {
    pub(crate) fn new(width: u64, buckets: u64, now: u64) -> Self {
        Self {
            width,
            buckets,
            made: now,
            // The first bucket is not number 0, which empty words carry.
            shift: AtomicU64::new(width * buckets),
            trouble: AtomicU64::new(0),
        }
    }

    /// Begins an empty window. Nothing may be recorded meanwhile.
    pub(crate) fn begin(&self, now: u64) {
        let since = now.saturating_sub(self.made);
        let shift = self.shift.load(Ordering::Relaxed);
        let past = since.wrapping_add(shift) % self.width;
        // On to the border of a bucket, and past all that were counted in, by threads whose clock was read a little later, too.
        let on = self.width * (2 * self.buckets + 1) - past;
        self.shift.store(shift.wrapping_add(on), Ordering::Release);
    }

    /// What is to be read before the generation is, so that a result is never counted in a later window than its own.
    #[inline]
    pub(crate) fn shift(&self) -> u64 {
        self.shift.load(Ordering::Acquire)
    }

    /// The number of the bucket for a time.
    #[inline]
    pub(crate) fn number(&self, now: u64, shift: u64) -> u64 {
        (now.saturating_sub(self.made).wrapping_add(shift) / self.width) & NUMBER
    }

    /// Counts a result in the ring of this thread. Says whether the window may be in trouble, so that it is to be judged.
    #[inline]
    pub(crate) fn record(&self, ring: &[Bucket], number: u64, mark: Mark) -> bool {
        let bucket = &ring[place(number, self.buckets)];
        add(&bucket.total, number);
        if mark.is_trouble() {
            self.record_trouble(bucket, number, mark);
            return true;
        }
        let trouble = self.trouble.load(Ordering::SeqCst);
        trouble != 0 && self.holds(trouble - 1, number)
    }

    #[cold]
    fn record_trouble(&self, bucket: &Bucket, number: u64, mark: Mark) {
        if mark.failed {
            add(&bucket.failed, number);
        }
        if mark.slow {
            add(&bucket.slow, number);
        }
        let mut seen = self.trouble.load(Ordering::Relaxed);
        while seen == 0 || is_newer(number, seen - 1) {
            match self
                .trouble
                .compare_exchange_weak(seen, number + 1, Ordering::SeqCst, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Adds what a ring holds of the window that ends with bucket `number`.
    pub(crate) fn add_up(&self, ring: &[Bucket], number: u64, counts: &mut Counts) {
        for bucket in ring {
            let in_window = |word: &AtomicU64| {
                let word = word.load(Ordering::SeqCst);
                let holds = self.holds(word >> COUNT_BITS, number);
                if holds { word & COUNT } else { 0 }
            };
            // Results are counted before what they were, and read after it: there are never more failures than results.
            counts.failed += in_window(&bucket.failed);
            counts.slow += in_window(&bucket.slow);
            counts.total += in_window(&bucket.total);
        }
    }

    /// Whether bucket `number` is in the window that ends with `last`, or a little after it.
    #[inline]
    fn holds(&self, number: u64, last: u64) -> bool {
        let age = last.wrapping_sub(number) & NUMBER;
        age < self.buckets || (age.wrapping_neg() & NUMBER) < self.buckets
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // below the number of buckets
fn place(number: u64, buckets: u64) -> usize {
    (number % buckets) as usize
}

/// Adds one to a word for a bucket. A word that counts for a newer one already is left alone: the result is too old for the window.
#[inline]
fn add(word: &AtomicU64, number: u64) {
    let mut seen = word.load(Ordering::Relaxed);
    loop {
        let next = if seen >> COUNT_BITS == number {
            if seen & COUNT == COUNT {
                return;
            }
            seen + 1
        } else if is_newer(seen >> COUNT_BITS, number) {
            return;
        } else {
            number << COUNT_BITS | 1
        };
        match word.compare_exchange_weak(seen, next, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

/// Whether one number is after the other, however often numbers came round.
fn is_newer(number: u64, than: u64) -> bool {
    let ahead = number.wrapping_sub(than) & NUMBER;
    ahead != 0 && ahead <= NUMBER / 2
}
