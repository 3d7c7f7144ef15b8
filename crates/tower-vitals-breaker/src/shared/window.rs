//! The recent results, in the kind of window that the settings ask for.

use crate::{
    cells::Cells,
    recent::{CountWindow, Counts, Mark, TimeWindow},
    settings::WindowKind,
    sync::Sharded,
};

/// Which results are judged.
pub(super) enum Recent {
    Time(TimeWindow),
    Count(CountWindow),
    #[cfg(all(test, not(loom)))]
    Lazy(crate::recent::LazyWindow),
}

/// A time, and how the window counts it.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    pub(super) now: u64,
    shift: u64,
}

impl Recent {
    pub(super) fn new(kind: WindowKind, now: u64) -> Self {
        match kind {
            WindowKind::Time { bucket, buckets } => Self::Time(TimeWindow::new(bucket, buckets, now)),
            WindowKind::Count { size } => Self::Count(CountWindow::new(size)),
        }
    }

    /// Begins an empty window for a generation.
    pub(super) fn begin(&self, cells: &Sharded<Cells>, now: u64, generation: u64) {
        match self {
            Self::Time(window) => window.begin(now, || cells.each(|cells| cells.ring.clear())),
            Self::Count(window) => window.begin(generation),
            #[cfg(all(test, not(loom)))]
            Self::Lazy(window) => window.begin(),
        }
    }

    /// This time in the window. It is to be asked before the generation is read: see [`TimeWindow::shift`].
    #[inline]
    pub(super) fn at(&self, now: u64) -> When {
        let shift = match self {
            Self::Time(window) => window.shift(),
            Self::Count(_) => 0,
            #[cfg(all(test, not(loom)))]
            Self::Lazy(_) => 0,
        };
        When { now, shift }
    }

    /// Counts a result, for a time window in the cells of this thread. Says whether the window is to be judged.
    #[inline]
    pub(super) fn record(&self, cells: &Cells, generation: u64, when: When, mark: Mark) -> bool {
        match self {
            Self::Time(window) => window.record(&cells.ring, (when.now, when.shift), mark),
            Self::Count(window) => window.record(generation, mark),
            #[cfg(all(test, not(loom)))]
            Self::Lazy(window) => window.record(when.now, mark),
        }
    }

    /// Notes that the window was judged at this time, has the minimum of calls, and is well.
    pub(super) fn note_calm(&self, when: When) {
        if let Self::Time(window) = self {
            window.note_calm(window.number(when.now, when.shift));
        }
    }

    /// What the window of a generation holds.
    pub(super) fn counts(&self, cells: &Sharded<Cells>, generation: u64, when: When) -> Counts {
        match self {
            Self::Count(window) => window.counts(generation),
            #[cfg(all(test, not(loom)))]
            Self::Lazy(window) => window.counts(when.now),
            Self::Time(window) => {
                let number = window.number(when.now, when.shift);
                let mut counts = Counts::default();
                cells.each(|cells| window.add_up(&cells.ring, number, &mut counts));
                counts.failed = counts.failed.min(counts.total);
                counts.slow = counts.slow.min(counts.total);
                counts
            }
        }
    }
}
