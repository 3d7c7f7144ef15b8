use crate::sync::atomic::{AtomicU64, Ordering};

/// How many calls in a row failed.
///
/// The number carries the generation it belongs to, so that a late result cannot touch that of another one. Successes only read it as
/// long as nothing fails.
#[derive(Debug)]
pub(crate) struct Consecutive {
    word: AtomicU64,
}

/// The bits of the number; the generation's lowest are above.
const BITS: u32 = 32;

impl Consecutive {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0) }
    }

    /// Begins at none for a generation.
    pub(crate) fn begin(&self, generation: u64) {
        // A store would do, but loom does not see that one is in order with what is exchanged at the same time.
        self.word.swap(generation << BITS, Ordering::AcqRel);
    }

    /// Counts a failure. Gives how many there are in a row.
    pub(crate) fn fail(&self, generation: u64) -> u32 {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word >> BITS != generation & u64::from(u32::MAX) {
                return 0;
            }
            #[allow(clippy::cast_possible_truncation)] // the lower half
            let failures = (word as u32).saturating_add(1);
            let next = generation << BITS | u64::from(failures);
            match self
                .word
                .compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return failures,
                Err(now) => word = now,
            }
        }
    }

    /// Ends the row.
    #[inline]
    pub(crate) fn succeed(&self, generation: u64) {
        let word = self.word.load(Ordering::Relaxed);
        if word & u64::from(u32::MAX) != 0 {
            self.end_row(generation, word);
        }
    }

    #[cold]
    fn end_row(&self, generation: u64, mut word: u64) {
        let none = generation << BITS;
        while word >> BITS == none >> BITS {
            match self
                .word
                .compare_exchange_weak(word, none, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_success_ends_the_row_of_its_generation_only() {
        let row = Consecutive::new();
        row.begin(7);
        assert_eq!((row.fail(7), row.fail(7)), (1, 2));
        row.succeed(6);
        assert_eq!(row.fail(6), 0);
        assert_eq!(row.fail(7), 3);
        row.succeed(7);
        assert_eq!(row.fail(7), 1);
        row.begin(1 << 32 | 7);
        assert_eq!(row.fail(1 << 32 | 7), 1, "a generation of more than 32 bits");
    }
}
