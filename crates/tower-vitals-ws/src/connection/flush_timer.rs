/// Times how long batches of messages take, from the first that is accepted until all have left: one batch of 16, the first one included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FlushTimer {
    /// Whether something was accepted that is not known to have left.
    is_open: bool,
    batches: u8,
    /// When the batch began, where it is timed.
    began: Option<u64>,
}

/// Of so many batches one is timed.
const ONE_OF: u8 = 16;

impl FlushTimer {
    /// Whether something was accepted that is not known to have left.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// A message was accepted. True when it is the first of a batch that is to be timed.
    #[inline]
    pub(crate) fn begins(&mut self) -> bool {
        if self.is_open {
            return false;
        }
        self.is_open = true;
        let is_timed = self.batches % ONE_OF == 0;
        self.batches = self.batches.wrapping_add(1);
        is_timed
    }

    /// The batch that has just begun began now.
    pub(crate) fn begin(&mut self, now: u64) {
        self.began = Some(now);
    }

    /// All have left, or never will: when the batch began, where it was timed.
    #[inline]
    pub(crate) fn end(&mut self) -> Option<u64> {
        self.is_open = false;
        self.began.take()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_batch_of_sixteen_is_timed_the_first_included() {
        let mut timer = FlushTimer::default();
        let timed: Vec<_> = (0..600)
            .filter(|batch| {
                let begins = timer.begins();
                if begins {
                    timer.begin(*batch);
                }
                assert!(!timer.begins(), "it goes on");
                assert_eq!(timer.end(), begins.then_some(*batch));
                assert_eq!(timer.end(), None, "nothing was accepted in between");
                begins
            })
            .collect();
        assert_eq!(timed, (0..600).step_by(16).collect::<Vec<_>>());
    }
}
