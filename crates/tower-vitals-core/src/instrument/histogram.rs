use std::{
    fmt,
    time::{Duration, SystemTime},
};

use super::{Bounds, Instrument};
use crate::{
    Kind, Unit,
    encode::{HistogramPoint, Number, Point},
    sharded::{Sharded, Words, add_float},
    sync::atomic::{AtomicU64, Ordering},
};

/// Durations of up to 100 microseconds are summed up as nanoseconds, longer ones as whole microseconds and, with the short ones, the
/// nanoseconds that are left over: nothing is lost, and neither sum wraps in years. 10,000 requests at any time fill the microseconds
/// in 58 years, a million short observations a second the nanoseconds in five.
const NANOS_IN_MICRO: u64 = 1000;

/// 100 microseconds, in nanoseconds.
const SHORT: u64 = 100_000;

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
    cells: Sharded<Cells>,
}

/// The words of one shard.
#[derive(Debug)]
struct Cells {
    /// Whole microseconds, or a float.
    sum: AtomicU64,
    nanos: AtomicU64,
    /// A count for each bound and one for `+Inf`, and what keeps a shard clear of what lies behind it.
    buckets: Box<[AtomicU64]>,
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

/// Words that keep a shard clear of what lies behind it.
const MARGIN: usize = 16;

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
            let cells = self.cells.mine();
            cells.count(self.config.bounds.bucket(value));
            if value.is_finite() {
                add_float(&cells.sum, value);
            }
        }
    }

    /// Counts a duration. Without rounding where the family's unit is seconds.
    pub fn observe_duration(&self, duration: Duration) {
        let whole = duration.as_secs().saturating_mul(1_000_000_000);
        self.observe_nanos(whole.saturating_add(u64::from(duration.subsec_nanos())));
    }

    /// Counts a duration of so many nanoseconds, such as the difference of two [`Clock::nanos`](crate::Clock::nanos). In a family whose
    /// unit is not seconds it counts as that many seconds.
    #[inline]
    pub fn observe_nanos(&self, nanos: u64) {
        if self.config.time {
            self.record_nanos(nanos);
        } else {
            self.observe(Duration::from_nanos(nanos).as_secs_f64());
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

    #[inline]
    fn record_nanos(&self, nanos: u64) {
        let cells = self.cells.mine();
        cells.count(self.config.bounds.bucket_of_nanos(nanos));
        if nanos <= SHORT {
            cells.nanos.fetch_add(nanos, Ordering::Relaxed);
        } else {
            cells.add_longer(nanos);
        }
    }

    /// Adds the shards up: counts into `counts`, the sum as the result.
    fn read(&self, counts: &mut Vec<u64>) -> Number {
        counts.clear();
        counts.resize(self.config.bounds.values().len() + 1, 0);
        let (mut nanos, mut float) = (0_u128, 0.0);
        self.cells.each(|cells| {
            for (count, word) in counts.iter_mut().zip(&cells.buckets) {
                *count = count.wrapping_add(word.load(Ordering::Relaxed));
            }
            let (sum, rest) = (cells.sum.load(Ordering::Relaxed), cells.nanos.load(Ordering::Relaxed));
            if self.config.time {
                nanos += u128::from(sum) * u128::from(NANOS_IN_MICRO) + u128::from(rest);
            } else {
                float += f64::from_bits(sum);
            }
        });
        if self.config.time {
            Number::Nanos(nanos)
        } else {
            Number::Float(float)
        }
    }
}

// === impl Cells ===

impl Cells {
    fn new(buckets: usize) -> Self {
        Self {
            sum: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            buckets: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    #[inline]
    fn count(&self, bucket: usize) {
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a duration that is not short to the sums.
    fn add_longer(&self, nanos: u64) {
        let micros = nanos / NANOS_IN_MICRO;
        self.nanos.fetch_add(nanos % NANOS_IN_MICRO, Ordering::Relaxed);
        if micros <= LONG {
            self.sum.fetch_add(micros, Ordering::Relaxed);
        } else {
            let more = |sum: u64| Some(sum.saturating_add(micros).min(FULL).max(sum));
            let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }
}

impl Words for Cells {
    fn another(&self) -> Self {
        Self::new(self.buckets.len() + MARGIN)
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
        Self {
            config: config.clone(),
            cells: Sharded::new(Cells::new(config.bounds.values().len() + 1)),
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
    fn short_and_longer_durations_add_up_to_the_nanosecond() {
        let nanos = [0, 1, SHORT - 1, SHORT, SHORT + 1, 1_000_999, 60_000_000_999, 60_000_001_000];
        let histogram = histogram(&[0.000_1], true);
        let mut sum = 0;
        for nanos in nanos {
            histogram.observe_nanos(nanos);
            sum += u128::from(nanos);
            assert_eq!(histogram.read(&mut Vec::new()), Number::Nanos(sum), "{nanos} ns");
        }
        assert_eq!(counts(&histogram), [4, 4]);
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
