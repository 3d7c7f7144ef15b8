use std::time::SystemTime;

use crate::{Bounds, encode::Number};

/// Takes the points that a row has in a [`Computed`](crate::Computed) family with `N` labels.
pub struct Samples<'a, const N: usize> {
    sink: &'a mut Sink<'a>,
}

/// What becomes of a point.
pub(super) type Sink<'a> = dyn FnMut(Pushed<'_>) + 'a;

/// A point as its row gives it.
pub(super) struct Pushed<'a> {
    pub(super) labels: &'a [&'a str],
    pub(super) value: Value<'a>,
    /// When it began to count, if the row says that.
    pub(super) start: Option<SystemTime>,
}

/// What a point shows.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Single(Number),
    Histogram {
        bounds: &'a Bounds,
        /// As many as the row has, which may be the wrong number.
        counts: &'a [u64],
        sum: Number,
    },
}

impl<'a, const N: usize> Samples<'a, N> {
    pub(super) fn new(sink: &'a mut Sink<'a>) -> Self {
        Self { sink }
    }

    /// A point with these label values, in the order in which the labels were declared. A counter's point began to count when its family
    /// was declared.
    ///
    /// Values are cleaned as [`label_value`](crate::label_value) does it. No two points of a family may have the same values after that,
    /// whatever rows they are of: Prometheus would refuse the whole scrape.
    pub fn push(&mut self, labels: [&str; N], value: Number) {
        self.give(&labels, value, None);
    }

    /// As [`push`](Self::push), for a counter's point that began to count at another time.
    pub fn push_since(&mut self, labels: [&str; N], value: Number, start: SystemTime) {
        self.give(&labels, value, Some(start));
    }

    fn give(&mut self, labels: &[&str], value: Number, start: Option<SystemTime>) {
        let value = Value::Single(value);
        (self.sink)(Pushed { labels, value, start });
    }
}

impl<const N: usize> std::fmt::Debug for Samples<'_, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Samples").finish_non_exhaustive()
    }
}
