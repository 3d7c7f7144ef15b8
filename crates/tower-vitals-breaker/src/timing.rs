/// What is known of the time that a call takes. It is one number, since calls carry it along.
///
/// The clock's times are above 0, and below 2^63 ns for more than a hundred years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing(u64);

/// Set where the rest is how long the call took to the head of its response, and not when it began.
const TO_HEAD: u64 = 1 << 63;

impl Timing {
    /// Calls are not timed.
    pub(crate) const NONE: Self = Self(0);

    /// It began now.
    pub(crate) fn since(now: u64) -> Self {
        Self(now.clamp(1, TO_HEAD - 1))
    }

    /// It took so long, whenever it ends.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn that_took(nanos: u64) -> Self {
        Self(nanos | TO_HEAD)
    }

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// The head of its response is there: what comes after that takes no time of the call.
    pub(crate) fn at_head(self, now: u64) -> Self {
        match self.took(now) {
            Some(took) => Self(took.min(TO_HEAD - 1) | TO_HEAD),
            None => Self::NONE,
        }
    }

    /// How long it took, if it ended now.
    pub(crate) fn took(self, now: u64) -> Option<u64> {
        if self.is_none() {
            None
        } else if self.0 & TO_HEAD == 0 {
            Some(now.saturating_sub(self.0))
        } else {
            Some(self.0 & !TO_HEAD)
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn time_passes_up_to_the_head() {
        let timing = Timing::since(100);
        assert_eq!((timing.took(130), timing.took(90)), (Some(30), Some(0)));
        let at_head = timing.at_head(150);
        assert_eq!((at_head.took(1000), at_head.at_head(2000).took(3000)), (Some(50), Some(50)));
        assert_eq!(timing.at_head(100).took(u64::MAX), Some(0));
    }

    #[test]
    fn what_is_not_timed_takes_no_time() {
        assert!(Timing::NONE.is_none() && Timing::NONE.at_head(5).is_none());
        assert_eq!(Timing::NONE.took(7), None);
        assert_eq!(Timing::since(0).took(8), Some(7), "0 says that calls are not timed");
    }
}
