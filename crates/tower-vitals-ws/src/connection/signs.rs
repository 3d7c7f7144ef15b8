use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How a connection is doing, as its task notes it. Times are in nanoseconds of the clock.
#[derive(Debug)]
pub(crate) struct Signs {
    /// When something was received or sent last, as far as that was noticed.
    active: AtomicU64,
    /// The last round trip of a ping; 0 before there was one.
    rtt: AtomicU64,
    /// Pongs in a row that did not come.
    missed: AtomicU32,
    /// Since when sending waits; 0 when it does not.
    stalled: AtomicU64,
}

impl Signs {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            active: AtomicU64::new(now),
            rtt: AtomicU64::new(0),
            missed: AtomicU32::new(0),
            stalled: AtomicU64::new(0),
        }
    }

    pub(crate) fn see_activity(&self, now: u64) {
        self.active.store(now, Ordering::Relaxed);
    }

    pub(crate) fn see_rtt(&self, rtt: u64) {
        self.rtt.store(rtt.max(1), Ordering::Relaxed);
        self.missed.store(0, Ordering::Relaxed);
    }

    pub(crate) fn see_missed(&self, missed: u32) {
        self.missed.store(missed, Ordering::Relaxed);
    }

    pub(crate) fn see_stall(&self, since: Option<u64>) {
        self.stalled.store(since.map_or(0, |since| since.max(1)), Ordering::Relaxed);
    }

    pub(crate) fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }

    pub(crate) fn rtt(&self) -> Option<u64> {
        Some(self.rtt.load(Ordering::Relaxed)).filter(|rtt| *rtt > 0)
    }

    pub(crate) fn missed(&self) -> u32 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Since when sending waits.
    pub(crate) fn stalled_since(&self) -> Option<u64> {
        Some(self.stalled.load(Ordering::Relaxed)).filter(|since| *since > 0)
    }

    /// For how long sending has been waiting.
    pub(crate) fn stalled(&self, now: u64) -> Option<u64> {
        self.stalled_since().map(|since| now.saturating_sub(since))
    }
}
