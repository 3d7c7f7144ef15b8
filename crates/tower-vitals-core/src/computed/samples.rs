use std::time::SystemTime;

use crate::encode::Number;

/// Takes the points that a row has in a [`Computed`](crate::Computed) family with `N` labels.
pub struct Samples<'a, const N: usize> {
    sink: &'a mut Sink<'a>,
}

/// What becomes of a point: its label values, its value and, if the row says it, when it began to count.
pub(super) type Sink<'a> = dyn FnMut(&[&str], Number, Option<SystemTime>) + 'a;

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
        (self.sink)(&labels, value, None);
    }

    /// As [`push`](Self::push), for a counter's point that began to count at another time.
    pub fn push_since(&mut self, labels: [&str; N], value: Number, start: SystemTime) {
        (self.sink)(&labels, value, Some(start));
    }
}

impl<const N: usize> std::fmt::Debug for Samples<'_, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Samples").finish_non_exhaustive()
    }
}
