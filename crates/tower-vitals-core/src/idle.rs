//! When something was last used, and whether that is so long ago that it may go.
//!
//! Times are in nanoseconds, as [`Clock::nanos`](crate::Clock::nanos) tells them.

use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};

/// When something was last used, to within a grain.
#[derive(Debug)]
pub struct LastUse {
    nanos: AtomicU64,
}

/// How long something may be idle, and how often it is worth looking for what is.
#[derive(Debug)]
pub struct Expiry {
    period: u64,
    grain: u64,
    swept: AtomicU64,
}

/// Uses are noted no more often than this.
const LONGEST_GRAIN: u64 = 1_000_000_000;

// === impl LastUse ===

impl LastUse {
    /// Something that is used now.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self {
            nanos: AtomicU64::new(now),
        }
    }

    /// Notes a use, unless one within a `grain` is noted already: what all threads use is seldom written.
    #[inline]
    pub fn touch(&self, now: u64, grain: u64) {
        if self.is_older_than(grain, now) {
            // A thread that stood still since it read its clock must not undo what others noted.
            self.nanos.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// Whether the use that is noted is at least a `period` ago.
    #[must_use]
    #[inline]
    pub fn is_older_than(&self, period: u64, now: u64) -> bool {
        now.saturating_sub(self.nanos.load(Ordering::Relaxed)) >= period
    }
}

// === impl Expiry ===

impl Expiry {
    /// What is idle for a period may go.
    #[must_use]
    pub fn new(period: Duration) -> Self {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        Self {
            period,
            grain: (period / 16).min(LONGEST_GRAIN),
            swept: AtomicU64::new(0),
        }
    }

    /// How exactly uses are noted: to a sixteenth of the period, or a second if that is shorter.
    #[must_use]
    #[inline]
    pub fn grain(&self) -> u64 {
        self.grain
    }

    /// Whether something was idle for the period. It is never said too early, but up to a grain too late.
    #[must_use]
    pub fn is_over(&self, last_use: &LastUse, now: u64) -> bool {
        last_use.is_older_than(self.period.saturating_add(self.grain()), now)
    }

    /// Whether to look at everything now: true at most once in a 64th of the period, and for one thread of those that ask at once.
    #[must_use]
    pub fn may_sweep(&self, now: u64) -> bool {
        let swept = self.swept.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(swept) >= (self.period / 64).max(1);
        is_due
            && self
                .swept
                .compare_exchange(swept, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_use_within_a_grain_is_not_noted_again() {
        let last_use = LastUse::new(100);
        last_use.touch(109, 10);
        assert!(last_use.is_older_than(9, 109) && !last_use.is_older_than(10, 109));
        last_use.touch(110, 10);
        assert!(!last_use.is_older_than(1, 110));
        last_use.touch(50, 0);
        assert!(
            last_use.is_older_than(1, 111) && !last_use.is_older_than(2, 111),
            "it never goes back"
        );
    }

    #[test]
    fn grains_are_short_beside_the_period() {
        assert_eq!(Expiry::new(Duration::from_secs(3600)).grain(), SECOND);
        assert_eq!(Expiry::new(Duration::from_secs(16)).grain(), SECOND);
        assert_eq!(Expiry::new(Duration::from_millis(160)).grain(), SECOND / 100);
        assert_eq!(Expiry::new(Duration::from_nanos(1)).grain(), 0);
        let forever = Expiry::new(Duration::MAX);
        assert!(!forever.is_over(&LastUse::new(0), u64::MAX - 1));
    }

    #[test]
    fn sweeps_are_far_apart_and_each_is_done_by_one_thread() {
        let expiry = Expiry::new(Duration::from_secs(64));
        assert!(expiry.may_sweep(5 * SECOND));
        for (now, may) in [(5, false), (6, true), (6, false), (4, false), (7, true), (70, true)] {
            assert_eq!(expiry.may_sweep(now * SECOND), may, "{now}");
        }
        let winners = std::thread::scope(|scope| {
            let ask = || (0..1_000).filter(|_| expiry.may_sweep(100 * SECOND)).count();
            let threads = [(); 4].map(|()| scope.spawn(ask));
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(winners, 1);
        let shortest = Expiry::new(Duration::from_nanos(1));
        assert!(shortest.may_sweep(1) && !shortest.may_sweep(1) && shortest.may_sweep(2));
    }

    proptest! {
        /// Whenever it was used, nothing goes before the period is over, and everything goes two grains after that.
        #[test]
        fn nothing_goes_too_early_or_stays(period in 1_u64..5_000_000_000, uses in prop::collection::vec(0_u64..2_000_000_000, 1..20)) {
            let expiry = Expiry::new(Duration::from_nanos(period));
            let mut now = SECOND;
            let last_use = LastUse::new(now);
            for wait in uses {
                now += wait;
                last_use.touch(now, expiry.grain());
            }
            prop_assert!(!expiry.is_over(&last_use, now));
            prop_assert!(!expiry.is_over(&last_use, now + period - 1));
            prop_assert!(expiry.is_over(&last_use, now + period + 2 * expiry.grain()));
        }
    }
}
