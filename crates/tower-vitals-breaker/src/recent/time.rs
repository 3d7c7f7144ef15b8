use super::{Counts, Mark};
use crate::sync::atomic::{AtomicU64, Ordering};

/// A window of time, cut into buckets.
///
/// The buckets themselves lie with the threads that fill them, in rings ([`Ring`]); here is what all share: how a time becomes the
/// number of a bucket. Each word of a bucket carries that number beside its count, so a bucket that comes round again is emptied by
/// the first result that counts in it, and nothing has to be swept as time goes on.
#[derive(Debug)]
pub(crate) struct TimeWindow {
    /// In nanoseconds.
    width: u64,
    buckets: u64,
    /// One less than how many numbers there are, a power of two. They come round before the time does, however often the window began.
    numbers: u64,
    /// Added to the time: it makes buckets begin when the breaker closes, and leaves those before out of the window.
    shift: AtomicU64,
    /// One more than the number of the last bucket with a failure or slow call; 0 when there was none.
    trouble: AtomicU64,
    /// One more than the number of the bucket in which no success can open the breaker any more; 0 when there was none.
    calm: AtomicU64,
}

/// What ended in a part of the window: three words of a number and a count each.
#[derive(Debug, Default)]
struct Bucket {
    total: AtomicU64,
    failed: AtomicU64,
    slow: AtomicU64,
}

/// The bits of a count; the number of the bucket is above. A count that is full stays so. Numbers come round after two years of the
/// shortest buckets.
const COUNT_BITS: u32 = 28;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
const NUMBER_BITS: u32 = 64 - COUNT_BITS;

/// All numbers together last no longer than this, in nanoseconds: a time that is as much again still has room.
const LAP: u64 = 1 << 62;

/// The buckets that a shard of threads fills. There are more than a window has, so that the place of a number is among its lowest bits.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// How many widths had passed when a result was last counted. Most come soon after another one, so there is no need to divide.
    widths: AtomicU64,
    buckets: [Bucket; PLACES],
}

/// At least as many as any window has buckets: ours have 10, and one of the breakers whose tests are replayed has 20.
pub(crate) const PLACES: usize = if cfg!(test) { 32 } else { 16 };

impl Ring {
    /// Forgets all. What late results of the last window write meanwhile is not in the next one all the same.
    pub(crate) fn clear(&self) {
        for bucket in &self.buckets {
            for word in [&bucket.total, &bucket.failed, &bucket.slow] {
                word.store(0, Ordering::Relaxed);
            }
        }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // below the number of places
    fn bucket(&self, number: u64) -> &Bucket {
        &self.buckets[(number % PLACES as u64) as usize]
    }
}

impl TimeWindow {
    pub(crate) fn new(width: u64, buckets: u64, now: u64) -> Self {
        debug_assert!(buckets <= PLACES as u64, "{buckets} buckets have no place");
        Self {
            width,
            buckets,
            numbers: (1 << (LAP / width).max(1).ilog2().min(NUMBER_BITS)) - 1,
            // The first bucket is not number 0, which empty words carry, and no time is before it by more than a window.
            shift: AtomicU64::new((width * buckets).wrapping_sub(now)),
            trouble: AtomicU64::new(0),
            calm: AtomicU64::new(0),
        }
    }

    /// Begins an empty window. Nothing may be recorded meanwhile. Four times a lap, `clear` is to clear all rings, so that no word is left
    /// from so long ago that its number would be taken for a later one.
    pub(crate) fn begin(&self, now: u64, clear: impl FnOnce()) {
        let time = now.wrapping_add(self.shift.load(Ordering::Relaxed));
        // On to the border of a bucket, and past all that were counted in, by threads whose clock was read a little later, too.
        let on = self.width * (2 * self.buckets + 1) - time % self.width;
        // The numbers are the same a lap before, and one lap is kept below for clocks that were read a little earlier.
        let lap = self.width * (self.numbers + 1);
        let quarter = |time: u64| time % lap / (lap / 4).max(1);
        if quarter(time) != quarter(time.wrapping_add(on)) {
            clear();
        }
        let time = time.wrapping_add(on) % lap + lap;
        self.trouble.store(0, Ordering::Relaxed);
        self.shift.store(time.wrapping_sub(now), Ordering::Release);
    }

    /// What is to be read before the generation is, so that a result is never counted in a later window than its own.
    #[inline]
    pub(crate) fn shift(&self) -> u64 {
        self.shift.load(Ordering::Acquire)
    }

    /// The number of the bucket for a time.
    pub(crate) fn number(&self, now: u64, shift: u64) -> u64 {
        (now.wrapping_add(shift) / self.width) & self.numbers
    }

    /// How many whole widths have passed.
    #[inline]
    fn widths(&self, ring: &Ring, time: u64) -> u64 {
        let known = ring.widths.load(Ordering::Relaxed);
        if time.wrapping_sub(known.wrapping_mul(self.width)) < self.width {
            known
        } else {
            self.count_widths(ring, time)
        }
    }

    #[cold]
    fn count_widths(&self, ring: &Ring, time: u64) -> u64 {
        let widths = time / self.width;
        ring.widths.store(widths, Ordering::Relaxed);
        widths
    }

    /// Counts a result in the ring of this thread. Says whether the window may be in trouble, so that it is to be judged.
    #[inline]
    pub(crate) fn record(&self, ring: &Ring, (now, shift): (u64, u64), mark: Mark) -> bool {
        let number = self.widths(ring, now.wrapping_add(shift)) & self.numbers;
        let bucket = ring.bucket(number);
        self.add(&bucket.total, number);
        if mark.is_trouble() {
            self.record_trouble(bucket, number, mark);
            return true;
        }
        let trouble = self.trouble.load(Ordering::SeqCst);
        trouble != 0 && self.holds(trouble - 1, number) && self.calm.load(Ordering::Relaxed) != number + 1
    }

    /// Notes that the window that ends with bucket `number` was judged, has the minimum of calls, and is well. Until the next bucket
    /// begins, successes make it only better, and failures and slow calls are judged whatever was noted.
    pub(crate) fn note_calm(&self, number: u64) {
        self.calm.store(number + 1, Ordering::Relaxed);
    }

    #[cold]
    fn record_trouble(&self, bucket: &Bucket, number: u64, mark: Mark) {
        if mark.failed {
            self.add(&bucket.failed, number);
        }
        if mark.slow {
            self.add(&bucket.slow, number);
        }
        let mut seen = self.trouble.load(Ordering::Relaxed);
        while seen == 0 || self.is_newer(number, seen - 1) {
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
    pub(crate) fn add_up(&self, ring: &Ring, number: u64, counts: &mut Counts) {
        for bucket in &ring.buckets {
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
        let age = last.wrapping_sub(number) & self.numbers;
        age < self.buckets || (age.wrapping_neg() & self.numbers) < self.buckets
    }

    /// Adds one to a word for a bucket. A word that counts for a newer one already is left alone: the result is too old for the window.
    /// 0 is a word that counts for none.
    #[inline]
    fn add(&self, word: &AtomicU64, number: u64) {
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let count = seen.wrapping_sub(number << COUNT_BITS);
            let next = if count < COUNT {
                seen + 1
            } else if count == COUNT || seen != 0 && self.is_newer(seen >> COUNT_BITS, number) {
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
    fn is_newer(&self, number: u64, than: u64) -> bool {
        let ahead = number.wrapping_sub(than) & self.numbers;
        ahead != 0 && ahead <= self.numbers / 2
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAILED: Mark = Mark {
        failed: true,
        slow: false,
    };

    fn failed(window: &TimeWindow, ring: &Ring, now: u64) -> u64 {
        let mut counts = Counts::default();
        window.add_up(ring, window.number(now, window.shift()), &mut counts);
        counts.failed
    }

    #[test]
    fn a_window_counts_however_often_it_began() {
        const DAY: u64 = 24 * 3600 * 1_000_000_000;
        for (width, now, every) in [
            (3 * DAY, 1, 1),
            (3 * DAY, u64::MAX / 4, 397),
            (1_000_000, 1, 1),
            (LAP / 64, 1, 1),
        ] {
            let (window, ring) = (TimeWindow::new(width, 10, now), Ring::default());
            for begin in 0..20_000 {
                if begin % every == 0 {
                    window.record(&ring, (now, window.shift()), FAILED);
                    assert_eq!(failed(&window, &ring, now), 1, "{width} ns, at {now}, after {begin}");
                }
                window.begin(now, || ring.clear());
            }
        }
    }

    #[test]
    fn what_a_clock_that_is_a_little_behind_counts_is_in_the_window() {
        for width in [1_000_000, LAP / 64] {
            let now = u64::MAX / 4;
            let (window, ring) = (TimeWindow::new(width, 10, now), Ring::default());
            for _ in 0..500 {
                window.begin(now, || ring.clear());
                window.record(&ring, (now - 10, window.shift()), FAILED);
                assert_eq!(failed(&window, &ring, now), 1);
            }
        }
    }

    proptest! {
        #[test]
        fn widths_are_what_division_says(width in 1..u64::MAX, small in 1..1_000_000_000_000_u64, times in prop::collection::vec(0..1_u64 << 63, 0..10), near in 0..3_u64) {
            for width in [width, small, 1_000_000] {
                let (window, ring) = (TimeWindow::new(width, 1, 0), Ring::default());
                for time in &times {
                    let border = (time / width * width).saturating_sub(near);
                    for time in [*time, border, border.wrapping_add(1), near] {
                        prop_assert_eq!(window.widths(&ring, time), time / width, "{} / {}", time, width);
                    }
                }
            }
        }
    }
}
