use std::{fmt, time::SystemTime};

use super::samples::{Pushed, Sink, Value};
use crate::{Bounds, encode::Number};

/// Takes the histograms that a row has in a [`Computed`](crate::Computed) family with `N` labels.
pub struct HistogramSamples<'a, const N: usize> {
    bounds: &'a Bounds,
    sink: &'a mut Sink<'a>,
}

/// A histogram that keeps to the rules of its family, whatever its row said.
pub(super) struct Fitted {
    pub(super) bounds: Bounds,
    /// One more than there are bounds; their sum is a number of 64 bits.
    pub(super) counts: Box<[u64]>,
    pub(super) sum: Number,
}

// === impl HistogramSamples ===

impl<'a, const N: usize> HistogramSamples<'a, N> {
    pub(super) fn new(bounds: &'a Bounds, sink: &'a mut Sink<'a>) -> Self {
        Self { bounds, sink }
    }

    /// A histogram with these label values, in the order in which the labels were declared. It began to count when its family was declared.
    ///
    /// `counts` says how many observations fell into each bucket, not cumulated, and the last of them how many are above all bounds
    /// (`+Inf`): one more than [`buckets`](crate::FamilyBuilder::buckets) was told. Counts that are missing are 0, and those that are too
    /// many are added to `+Inf`. The histogram's count is their sum. Beyond `u64::MAX` in all, nothing is added to it.
    ///
    /// `sum` is that of all observations in the unit of the family: bytes, or seconds, which [`Number::Nanos`] gives without rounding. One
    /// that is negative or not a number is shown as 0.
    ///
    /// Neither counts nor sum may fall from scrape to scrape, unless the histogram began anew [at another time](Self::push_since).
    ///
    /// Label values are cleaned and have to differ as those of [`Samples::push`](crate::Samples::push).
    pub fn push(&mut self, labels: [&str; N], counts: &[u64], sum: Number) {
        self.give(&labels, counts, sum, None);
    }

    /// As [`push`](Self::push), for a histogram that began to count at another time.
    pub fn push_since(&mut self, labels: [&str; N], counts: &[u64], sum: Number, start: SystemTime) {
        self.give(&labels, counts, sum, Some(start));
    }

    fn give(&mut self, labels: &[&str], counts: &[u64], sum: Number, start: Option<SystemTime>) {
        let bounds = self.bounds;
        let value = Value::Histogram { bounds, counts, sum };
        (self.sink)(Pushed { labels, value, start });
    }
}

impl<const N: usize> fmt::Debug for HistogramSamples<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistogramSamples")
            .field("bounds", &self.bounds.values())
            .finish_non_exhaustive()
    }
}

// === impl Fitted ===

impl Fitted {
    pub(super) fn new(bounds: &Bounds, counts: &[u64], sum: Number) -> Self {
        let infinity = bounds.values().len();
        let mut fitted = vec![0; infinity + 1];
        // Encoders add the counts up, and that must not wrap.
        let mut room = u64::MAX;
        for (bucket, count) in counts.iter().enumerate() {
            let count = room.min(*count);
            room -= count;
            fitted[bucket.min(infinity)] += count;
        }
        Self {
            bounds: bounds.clone(),
            counts: fitted.into(),
            sum: not_below_zero(sum),
        }
    }
}

/// The number, or 0 for what no sum of sizes or times can be.
fn not_below_zero(sum: Number) -> Number {
    match sum {
        Number::Signed(value) => Number::Signed(value.max(0)),
        Number::Float(value) => Number::Float(if value > 0.0 { value } else { 0.0 }),
        Number::Unsigned(_) | Number::Nanos(_) => sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(bounds: &[f64], counts: &[u64]) -> Vec<u64> {
        let bounds = Bounds::try_new(bounds).unwrap();
        Fitted::new(&bounds, counts, Number::Unsigned(0)).counts.into()
    }

    #[test]
    fn there_is_a_count_for_each_bucket() {
        let bounds = [1.0, 2.0];
        for (given, fitted) in [
            (&[4, 5, 6][..], [4, 5, 6]),
            (&[4, 5], [4, 5, 0]),
            (&[], [0, 0, 0]),
            (&[4, 5, 6, 7, 8], [4, 5, 21]),
        ] {
            assert_eq!(counts(&bounds, given), fitted, "{given:?}");
        }
        assert_eq!(counts(&[], &[1, 2, 3]), [6]);
        assert_eq!(counts(&[], &[]), [0]);
    }

    #[test]
    fn counts_add_up_to_no_more_than_fits() {
        const MOST: u64 = u64::MAX;
        let bounds = [1.0, 2.0];
        for (given, fitted) in [
            (&[1, MOST, 5][..], [1, MOST - 1, 0]),
            (&[MOST - 3, 2, 5], [MOST - 3, 2, 1]),
            (&[0, 1, MOST - 5, 3, MOST], [0, 1, MOST - 1]),
        ] {
            assert_eq!(counts(&bounds, given), fitted, "{given:?}");
        }
    }

    #[test]
    fn a_sum_is_not_below_zero() {
        for (given, shown) in [
            (Number::Unsigned(u64::MAX), Number::Unsigned(u64::MAX)),
            (Number::Nanos(1), Number::Nanos(1)),
            (Number::Signed(-1), Number::Signed(0)),
            (Number::Signed(7), Number::Signed(7)),
            (Number::Float(-0.5), Number::Float(0.0)),
            (Number::Float(f64::NAN), Number::Float(0.0)),
            (Number::Float(f64::NEG_INFINITY), Number::Float(0.0)),
            (Number::Float(f64::INFINITY), Number::Float(f64::INFINITY)),
            (Number::Float(2.5), Number::Float(2.5)),
        ] {
            assert_eq!(not_below_zero(given), shown, "{given:?}");
        }
    }
}
