use std::{fmt, ops::Deref, time::Instant};

use super::aging::Aging;
use crate::{InFlight, InFlightGuard, labels::SeriesLabels, sync::Arc, table::Entry};

/// An instrument with its labels.
#[derive(Debug)]
pub(crate) struct Series<I> {
    pub(crate) labels: SeriesLabels,
    pub(crate) created: Instant,
    pub(crate) instrument: I,
    /// Only in families that expire.
    pub(crate) aging: Option<Box<Aging>>,
}

/// A series that is borrowed for a moment, to record into: what [`Family::with`](crate::Family::with) gives.
///
/// Take [`hold`](Self::hold) to keep it.
pub struct Ref<I> {
    entry: Entry<Series<I>>,
}

/// A series that is kept. It may be cloned and cached for ever: as long as a handle lives, the series is in every scrape, and does not
/// expire.
pub struct Handle<I> {
    series: Arc<Series<I>>,
}

// === impl Ref ===

impl<I> Ref<I> {
    pub(crate) fn new(entry: Entry<Series<I>>) -> Self {
        Self { entry }
    }

    /// A handle to the same series, for keeping.
    #[must_use]
    pub fn hold(&self) -> Handle<I> {
        Handle {
            series: self.entry.hold(),
        }
    }
}

impl<I> Deref for Ref<I> {
    type Target = I;

    #[inline]
    fn deref(&self) -> &I {
        &self.entry.instrument
    }
}

impl<I: fmt::Debug> fmt::Debug for Ref<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

// === impl Handle ===

impl Handle<InFlight> {
    /// Counts one as in flight until the guard is dropped, wherever that happens.
    pub fn start(&self) -> InFlightGuard<Self> {
        InFlightGuard::new(self.clone())
    }
}

impl<I> Clone for Handle<I> {
    fn clone(&self) -> Self {
        Self {
            series: Arc::clone(&self.series),
        }
    }
}

impl<I> Deref for Handle<I> {
    type Target = I;

    #[inline]
    fn deref(&self) -> &I {
        &self.series.instrument
    }
}

impl<I: fmt::Debug> fmt::Debug for Handle<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
