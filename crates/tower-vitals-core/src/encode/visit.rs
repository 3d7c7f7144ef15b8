//! What encoders are shown.

use std::time::SystemTime;

use crate::{Bounds, Descriptor, Labels};

/// Sees every family and sample of a [`Vitals`](crate::Vitals): the one door for all output formats.
///
/// A family comes first, then its points, so that the samples of a family stand together as every format demands. Families without
/// points are not shown.
pub trait Visitor {
    /// A family begins.
    fn family(&mut self, descriptor: &Descriptor);

    /// A series of the family that began last.
    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>);

    /// Whether to pause here: the walk goes on later, after the point that was shown last. A visitor that keeps no bound never asks.
    fn is_full(&self) -> bool {
        false
    }
}

/// The value of a series at the time of the scrape.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Point<'a> {
    /// A counter.
    Counter(CounterPoint<'a>),
    /// A gauge.
    Gauge(Number),
    /// A histogram.
    Histogram(HistogramPoint<'a>),
}

/// A counter's value.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CounterPoint<'a> {
    /// The value.
    pub value: Number,
    /// When the series began to count.
    pub start: SystemTime,
    /// An observation that stands for the others.
    pub exemplar: Option<Exemplar<'a>>,
}

/// A histogram's buckets and sum.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HistogramPoint<'a> {
    /// The upper bounds of the buckets, without `+Inf`.
    pub bounds: &'a Bounds,
    /// How many observations fell into each bucket, not cumulated; one more than there are bounds, the last for `+Inf`. The
    /// histogram's count is their sum.
    pub counts: &'a [u64],
    /// The sum of all observations.
    pub sum: Number,
    /// When the series began to count.
    pub start: SystemTime,
    /// Observations that stand for the others of their bucket; empty, or one place for each count.
    pub exemplars: &'a [Option<Exemplar<'a>>],
    /// The same observations in exponential buckets.
    pub native: Option<NativeBuckets<'a>>,
}

/// One observation with labels of its own, such as a trace ID.
#[derive(Clone, Copy, Debug)]
pub struct Exemplar<'a> {
    /// Names and raw values.
    pub labels: &'a [(&'a str, &'a str)],
    /// What was observed.
    pub value: f64,
    /// When.
    pub time: Option<SystemTime>,
}

/// Exponential buckets, as Prometheus' native histograms have them.
#[derive(Clone, Copy, Debug)]
pub struct NativeBuckets<'a> {
    /// Bucket `i` ends at `2^(i · 2^-schema)`.
    pub schema: i32,
    /// Observations up to this value are in the zero bucket.
    pub zero_threshold: f64,
    /// How many those are.
    pub zero_count: u64,
    /// Index and count of each bucket that is not empty, in the order of the index.
    pub positive: &'a [(i32, u64)],
}

/// A sample's value in the type in which it is kept, so that nothing is lost on the way out.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Number {
    /// A whole number.
    Unsigned(u64),
    /// A whole number that may be negative.
    Signed(i64),
    /// A float.
    Float(f64),
    /// Seconds, kept in nanoseconds.
    Nanos(u128),
}

impl Number {
    /// The value as Prometheus will keep it.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // what Prometheus does with every number
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Unsigned(value) => value as f64,
            Self::Signed(value) => value as f64,
            Self::Float(value) => value,
            Self::Nanos(nanos) => nanos as f64 / 1e9,
        }
    }
}
