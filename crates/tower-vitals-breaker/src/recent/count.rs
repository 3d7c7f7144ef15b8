use super::{Counts, Mark};
use crate::sync::atomic::{AtomicU64, Ordering};

/// The last results, in a ring.
///
/// Each result takes the next place and pushes out what was there. Every word carries the generation that it belongs to, so a window
/// begins empty by a store into two words, and late results of earlier generations find nothing to write to.
#[derive(Debug)]
pub(crate) struct CountWindow {
    /// The generation's lowest bits, and how many results there were.
    cursor: AtomicU64,
    /// The generation's lowest bits, and how many of the results in the ring failed and were slow.
    sums: AtomicU64,
    /// The generation's lowest bits, the number of the result, and what it was.
    places: Box<[AtomicU64]>,
}

/// Bits of the generation in all words.
const GENERATION_BITS: u32 = 20;
const GENERATION: u32 = 64 - GENERATION_BITS;

/// Bits of each sum. The largest window has so many places.
const SUM_BITS: u32 = 22;
const SUM: u64 = (1 << SUM_BITS) - 1;

/// What stands for no results in a sum.
const NOTHING: u64 = 1 << 20;

/// Bits of the mark in a place, below the number.
const MARK_BITS: u32 = 2;

/// The number of a result is kept with so many bits: enough to tell whether a place was taken by an older or a newer one.
const NUMBER: u64 = (1 << (GENERATION - MARK_BITS)) - 1;

impl CountWindow {
    pub(crate) fn new(size: u64) -> Self {
        Self {
            cursor: AtomicU64::new(0),
            sums: AtomicU64::new(none(0)),
            // No result has the number 0, so empty places are older than all.
            places: (0..size).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Begins an empty window for a generation.
    pub(crate) fn begin(&self, generation: u64) {
        // Generations come round, so none may be left to be taken for a later one.
        self.places.iter().for_each(|place| place.store(0, Ordering::Relaxed));
        // Stores would do, but loom does not see that they are in order with what is exchanged at the same time.
        self.sums.swap(none(generation), Ordering::AcqRel);
        self.cursor.swap(generation << GENERATION, Ordering::AcqRel);
    }

    /// Counts a result. Says whether the window may be in trouble, so that it is to be judged.
    pub(crate) fn record(&self, generation: u64, mark: Mark) -> bool {
        let Some(number) = self.next(generation) else {
            return false;
        };
        let size = self.places.len() as u64;
        #[allow(clippy::cast_possible_truncation)] // below the number of places
        let place = &self.places[(number % size) as usize];
        let (in_, out) = Self::put(place, generation, number, mark);
        self.change(generation, in_, out).is_some_and(|sums| read(sums) != (0, 0))
    }

    /// What the window of a generation holds.
    pub(crate) fn counts(&self, generation: u64) -> Counts {
        let sums = self.sums.load(Ordering::SeqCst);
        let cursor = self.cursor.load(Ordering::SeqCst);
        let is_of = |word: u64| word >> GENERATION == generation << GENERATION >> GENERATION;
        if !is_of(sums) || !is_of(cursor) {
            return Counts::default();
        }
        let (results, size) = (cursor & (u64::MAX >> GENERATION_BITS), self.places.len() as u64);
        let total = results.min(size);
        let (failed, slow) = read(sums);
        Counts {
            total,
            failed: failed.min(total),
            slow: slow.min(total),
            was_full: results > size,
        }
    }

    /// The number of the next result, from 1 on. None when the window is of another generation.
    fn next(&self, generation: u64) -> Option<u64> {
        let mut cursor = self.cursor.load(Ordering::Acquire);
        loop {
            if cursor >> GENERATION != generation << GENERATION >> GENERATION {
                return None;
            }
            // It would take years to fill.
            let next = cursor + 1;
            match self
                .cursor
                .compare_exchange_weak(cursor, next, Ordering::SeqCst, Ordering::Acquire)
            {
                Ok(_) => return Some(next & (u64::MAX >> GENERATION_BITS)),
                Err(now) => cursor = now,
            }
        }
    }

    /// Puts a result in its place. Gives what to add to the sums and what to take from them.
    fn put(place: &AtomicU64, generation: u64, number: u64, mark: Mark) -> (u64, u64) {
        let bits = u64::from(mark.failed) << 1 | u64::from(mark.slow);
        let word = generation << GENERATION | (number & NUMBER) << MARK_BITS | bits;
        let mut there = place.load(Ordering::Acquire);
        loop {
            let there_number = there >> MARK_BITS & NUMBER;
            let ahead = (there >> GENERATION).wrapping_sub(word >> GENERATION) & (u64::MAX >> GENERATION);
            let is_ours = ahead == 0;
            let is_later = !is_ours && ahead < 1 << (GENERATION_BITS - 1);
            if there_number != 0 && (is_later || is_ours && there_number > number & NUMBER) {
                // So much came since that this one is out of the window already.
                return (0, 0);
            }
            match place.compare_exchange_weak(there, word, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return (sums_of(bits), if is_ours { sums_of(there) } else { 0 }),
                Err(now) => there = now,
            }
        }
    }

    /// Adds to the sums and takes from them, at once. Gives what they are then; none when they are of another generation.
    fn change(&self, generation: u64, more: u64, less: u64) -> Option<u64> {
        let mut sums = self.sums.load(Ordering::SeqCst);
        loop {
            if sums >> GENERATION != generation << GENERATION >> GENERATION {
                return None;
            }
            if more == less {
                return Some(sums);
            }
            // What is taken may not have been added yet by the thread that put it there: the sums have room below nothing.
            let next = sums + more - less;
            match self
                .sums
                .compare_exchange_weak(sums, next, Ordering::SeqCst, Ordering::Acquire)
            {
                Ok(_) => return Some(next),
                Err(now) => sums = now,
            }
        }
    }
}

/// The sums of an empty window.
fn none(generation: u64) -> u64 {
    generation << GENERATION | NOTHING << SUM_BITS | NOTHING
}

/// What a mark adds to the sums.
fn sums_of(bits: u64) -> u64 {
    (bits >> 1 & 1) << SUM_BITS | bits & 1
}

/// The failures and slow results of a window.
fn read(sums: u64) -> (u64, u64) {
    let above_nothing = |sum: u64| (sum & SUM).saturating_sub(NOTHING);
    (above_nothing(sums >> SUM_BITS), above_nothing(sums))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn mark(failed: bool, slow: bool) -> Mark {
        Mark { failed, slow }
    }

    #[test]
    fn a_late_result_finds_nothing_to_write_to() {
        let window = CountWindow::new(4);
        window.begin(1);
        assert!(window.record(1, mark(true, false)));
        window.begin(2);
        assert_eq!(window.counts(2), Counts::default());
        assert!(!window.record(1, mark(true, true)));
        assert_eq!(window.counts(2), Counts::default());
        assert!(!window.record(2, mark(false, false)));
        assert_eq!(window.counts(2).total, 1);
    }

    #[test]
    fn threads_leave_exact_sums_behind() {
        let window = CountWindow::new(64);
        window.begin(3);
        for round in 0..50_u64 {
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let window = &window;
                    scope.spawn(move || {
                        for n in 0..97_u64 {
                            window.record(3, mark((n + thread) % 3 == 0, n % 5 == round % 5));
                        }
                    });
                }
            });
            let bits = window.places.iter().map(|place| place.load(Ordering::Relaxed));
            let (failed, slow) = bits.fold((0, 0), |(failed, slow), bits| (failed + (bits >> 1 & 1), slow + (bits & 1)));
            let counts = window.counts(3);
            assert_eq!((counts.total, counts.failed, counts.slow), (64, failed, slow));
        }
    }

    proptest! {
        #[test]
        fn it_holds_the_last_results(size in 1_u64..9, results in prop::collection::vec((any::<bool>(), any::<bool>()), 0..40)) {
            let window = CountWindow::new(size);
            window.begin(1 << 21 | 5);
            let mut last = VecDeque::new();
            for (number, (failed, slow)) in results.into_iter().enumerate() {
                last.push_back((failed, slow));
                if last.len() as u64 > size {
                    last.pop_front();
                }
                let judged = window.record(1 << 21 | 5, mark(failed, slow));
                let expected = Counts {
                    total: last.len() as u64,
                    failed: last.iter().filter(|result| result.0).count() as u64,
                    slow: last.iter().filter(|result| result.1).count() as u64,
                    was_full: number as u64 >= size,
                };
                prop_assert_eq!(judged, expected.failed + expected.slow > 0);
                prop_assert_eq!(window.counts(1 << 21 | 5), expected);
            }
        }
    }
}
