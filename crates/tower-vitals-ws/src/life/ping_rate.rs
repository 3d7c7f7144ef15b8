/// How many pings may still come: a bucket that holds what ten seconds allow, and fills up with time.
#[derive(Debug)]
pub(super) struct PingRate {
    /// Nanoseconds of time that a ping takes.
    each: u64,
    /// When the bucket is full again.
    full_at: u64,
}

/// How far pings may be ahead of their rate.
const AHEAD: u64 = 10_000_000_000;

impl PingRate {
    /// Of so many in a second; none where they are not limited.
    pub(super) fn new(per_second: u32, now: u64) -> Option<Self> {
        (per_second < u32::MAX).then(|| Self {
            each: 1_000_000_000_u64.checked_div(per_second.into()).unwrap_or(AHEAD + 1),
            full_at: now,
        })
    }

    /// A ping came. Whether it may.
    pub(super) fn allows(&mut self, now: u64) -> bool {
        let full_at = self.full_at.max(now).saturating_add(self.each);
        let allows = full_at - now <= AHEAD;
        if allows {
            self.full_at = full_at;
        }
        allows
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn ten_seconds_worth_may_come_at_once_and_then_as_many_as_time_gives() {
        let mut rate = PingRate::new(10, 0).unwrap();
        let allowed = |rate: &mut PingRate, now: u64| (0..1_000).take_while(|_| rate.allows(now)).count();
        assert_eq!(allowed(&mut rate, 0), 100);
        assert_eq!(allowed(&mut rate, SECOND), 10);
        assert_eq!(allowed(&mut rate, SECOND), 0);
        assert_eq!(allowed(&mut rate, 100 * SECOND), 100, "it holds no more");
        assert!(PingRate::new(u32::MAX, 0).is_none());
        assert_eq!(allowed(&mut PingRate::new(0, 0).unwrap(), SECOND), 0);
    }
}
