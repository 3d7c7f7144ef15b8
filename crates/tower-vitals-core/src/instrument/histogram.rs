use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use super::{Bounds, Instrument};
use crate::{
    Kind, Unit,
    encode::{HistogramPoint, Number, Point},
    sharded::{Sharded, add_float},
};

/// Durations are summed up as whole microseconds and, apart, the nanoseconds that are left over: nothing is lost, and neither sum wraps
/// in years. 10,000 requests at any time fill the first in 58 years, a million observations a second the other in 584.
const NANOS_IN_MICRO: u64 = 1000;

/// A minute. Longer observations can be of any length (infinity is one), so they must not wrap the sum, which would fall.
const LONG: u64 = 60_000_000;

/// Where long observations stop adding to the sum: far enough from the end for the short ones to go on.
const FULL: u64 = u64::MAX / 2;

/// Counts observations in buckets, and sums them up.
///
/// The count is the sum of the buckets, so that it equals the bucket `+Inf` in every scrape.
///
/// # Cost
/// A search among the bounds and two atomic additions on memory that only a few threads share. No lock, no allocation.
#[derive(Debug)]
pub struct Histogram {
    config: HistogramConfig,
    /// For each shard: a count for each bound, one for `+Inf`, and the two sums, with room at both ends to keep shards
    /// out of each other's cache lines.
    words: Sharded<Box<[AtomicU64]>>,
}

/// What the histograms of a family share.
#[doc(hidden)]
#[derive(Clone, Default, PartialEq)]
pub struct HistogramConfig {
    pub(crate) bounds: Bounds,
    /// Whether observations are seconds, whose sum is kept in integers.
    pub(crate) time: bool,
}

impl fmt::Debug for HistogramConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "buckets {:?}", self.bounds.values())
    }
}

/// Words at either end of a shard.
const MARGIN: usize = 8;

impl Histogram {
    /// Counts an observation, in the unit of the family.
    ///
    /// What is negative or not a number counts as 0: the count stays exact, and the sum never falls.
    pub fn observe(&self, value: f64) {
        let value = if value > 0.0 { value } else { 0.0 };
        if self.config.time {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            // saturates, and is not negative
            self.record_nanos((value * 1e9).round() as u64);
        } else {
            let words = self.words.mine();
            words[MARGIN + self.config.bounds.bucket(value)].fetch_add(1, Ordering::Relaxed);
            if value.is_finite() {
                add_float(&words[self.sum_at()], value);
            }
        }
    }

    /// Counts a duration. Without rounding where the family's unit is seconds.
    pub fn observe_duration(&self, duration: Duration) {
        if self.config.time {
            self.record_nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        } else {
            self.observe(duration.as_secs_f64());
        }
    }

    /// How many observations there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        let mut counts = Vec::new();
        self.read(&mut counts);
        counts.iter().sum()
    }

    /// The sum of all observations.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.read(&mut Vec::new()).as_f64()
    }

    fn record_nanos(&self, nanos: u64) {
        let words = self.words.mine();
        words[MARGIN + self.config.bounds.bucket_of_nanos(nanos)].fetch_add(1, Ordering::Relaxed);
        let sum = self.sum_at();
        let micros = nanos / NANOS_IN_MICRO;
        words[sum + 1].fetch_add(nanos % NANOS_IN_MICRO, Ordering::Relaxed);
        if micros <= LONG {
            words[sum].fetch_add(micros, Ordering::Relaxed);
        } else {
            let more = |sum: u64| Some(sum.saturating_add(micros).min(FULL).max(sum));
            let _ = words[sum].fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }

    /// Where the sum is: microseconds, which the nanoseconds that are left over follow, or a float.
    fn sum_at(&self) -> usize {
        MARGIN + self.config.bounds.values().len() + 1
    }

    /// Adds the shards up: counts into `counts`, the sum as the result.
    fn read(&self, counts: &mut Vec<u64>) -> Number {
        let sum = self.sum_at();
        counts.clear();
        counts.resize(sum - MARGIN, 0);
        let (mut nanos, mut float) = (0_u128, 0.0);
        for words in self.words.all() {
            for (count, word) in counts.iter_mut().zip(&words[MARGIN..sum]) {
                *count = count.wrapping_add(word.load(Ordering::Relaxed));
            }
            let (first, left_over) = (words[sum].load(Ordering::Relaxed), words[sum + 1].load(Ordering::Relaxed));
            if self.config.time {
                nanos += u128::from(first) * u128::from(NANOS_IN_MICRO) + u128::from(left_over);
            } else {
                float += f64::from_bits(first);
            }
        }
        if self.config.time {
            Number::Nanos(nanos)
        } else {
            Number::Float(float)
        }
    }
}

impl Instrument for Histogram {
    type Config = HistogramConfig;

    const KIND: Kind = Kind::Histogram;
    const NAME: &'static str = "classic";

    fn configure(config: &mut HistogramConfig, unit: Option<Unit>) {
        config.time = unit == Some(Unit::Seconds);
    }

    fn new(config: &HistogramConfig) -> Self {
        let words = 2 * MARGIN + config.bounds.values().len() + 3;
        Self {
            config: config.clone(),
            words: Sharded::new((0..words).map(|_| AtomicU64::new(0)).collect()),
        }
    }

    fn point(&self, config: &HistogramConfig, start: SystemTime, scratch: &mut Vec<u64>, show: &mut dyn FnMut(&Point<'_>)) {
        let sum = self.read(scratch);
        show(&Point::Histogram(HistogramPoint {
            bounds: &config.bounds,
            counts: scratch,
            sum,
            start,
            exemplars: &[],
            native: None,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(bounds: &[f64], time: bool) -> Histogram {
        let bounds = Bounds::try_new(bounds).unwrap();
        Histogram::new(&HistogramConfig { bounds, time })
    }

    fn counts(histogram: &Histogram) -> Vec<u64> {
        let mut counts = Vec::new();
        histogram.read(&mut counts);
        counts
    }

    #[test]
    fn durations_are_summed_exactly() {
        let histogram = histogram(&[0.5, 90.0], true);
        histogram.observe_duration(Duration::from_nanos(1));
        histogram.observe_duration(Duration::from_secs(61));
        histogram.observe(0.5);
        assert_eq!(counts(&histogram), [2, 1, 0]);
        assert_eq!(
            histogram.read(&mut Vec::new()),
            Number::Nanos(1 + 61_000_000_000 + 500_000_000)
        );
    }

    #[test]
    fn endless_durations_fill_the_sum_and_short_ones_go_on() {
        let histogram = histogram(&[1.0], true);
        for _ in 0..1_500 {
            let before = histogram.sum();
            histogram.observe_duration(Duration::MAX);
            assert!(histogram.sum() >= before);
        }
        let Number::Nanos(full) = histogram.read(&mut Vec::new()) else {
            unreachable!("it is in seconds")
        };
        histogram.observe_duration(Duration::from_secs(60));
        assert_eq!(histogram.read(&mut Vec::new()), Number::Nanos(full + 60_000_000_000));
        assert_eq!(counts(&histogram), [0, 1_501]);
    }

    #[test]
    fn what_is_not_a_size_counts_as_nothing() {
        let histogram = histogram(&[1.0], false);
        for value in [f64::NAN, -3.0, f64::INFINITY, 2.5] {
            histogram.observe(value);
        }
        assert_eq!(counts(&histogram), [2, 2]);
        assert!((histogram.sum() - 2.5).abs() < f64::EPSILON);
        assert_eq!(histogram.count(), 4);
    }
}
