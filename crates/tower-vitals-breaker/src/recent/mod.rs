//! What ended recently, counted without locks.

mod consecutive;
mod count;
#[cfg(all(test, not(loom)))]
mod lazy;
mod time;

#[cfg(all(test, not(loom)))]
pub(crate) use self::lazy::LazyWindow;
#[cfg(all(test, loom))]
pub(crate) use self::time::PLACES;
pub(crate) use self::{
    consecutive::Consecutive,
    count::CountWindow,
    time::{Ring, TimeWindow},
};

/// What a window counts of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

impl Mark {
    /// That of a success that was not slow.
    pub(crate) const GOOD: Self = Self {
        failed: false,
        slow: false,
    };

    /// Whether it could open a breaker.
    #[inline]
    pub(crate) fn is_trouble(self) -> bool {
        self.failed || self.slow
    }
}

/// What a window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) failed: u64,
    pub(crate) slow: u64,
    /// Whether the window was full before the last result came; only a window of calls can be.
    pub(crate) was_full: bool,
}
