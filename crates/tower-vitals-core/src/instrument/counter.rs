use std::time::SystemTime;

use super::Instrument;
use crate::{
    Kind,
    encode::{CounterPoint, Number, Point},
    sharded::{Sharded, add_float},
    sync::atomic::{AtomicU64, Ordering},
};

/// Counts what happens. It only ever rises.
///
/// # Cost
/// A handful of instructions, one of them atomic on memory that only a few threads share. No lock, no allocation.
#[derive(Debug)]
pub struct Counter {
    value: Sharded<[AtomicU64; 1]>,
}

/// A [`Counter`] for amounts that are not whole, such as money or CPU seconds.
#[derive(Debug)]
pub struct FloatCounter {
    value: Sharded<[AtomicU64; 1]>,
}

// === impl Counter ===

impl Counter {
    /// Counts one.
    #[inline]
    pub fn inc(&self) {
        self.inc_by(1);
    }

    /// Counts several at once.
    #[inline]
    pub fn inc_by(&self, more: u64) {
        self.value.mine()[0].fetch_add(more, Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.value.sum(0)
    }
}

impl Instrument for Counter {
    type Config = ();

    const KIND: Kind = Kind::Counter;
    const NAME: &'static str = "integer";

    fn new((): &()) -> Self {
        Self {
            value: Sharded::new([AtomicU64::new(0)]),
        }
    }

    fn point(&self, (): &(), start: SystemTime, _: &mut Vec<u64>, show: &mut dyn FnMut(&Point<'_>)) {
        show(&Point::Counter(CounterPoint {
            value: Number::Unsigned(self.get()),
            start,
            exemplar: None,
        }));
    }
}

// === impl FloatCounter ===

impl FloatCounter {
    /// Counts one.
    pub fn inc(&self) {
        self.inc_by(1.0);
    }

    /// Adds an amount. One that is negative, infinite or not a number is left out, because a counter must not fall.
    pub fn inc_by(&self, more: f64) {
        if more.is_finite() && more > 0.0 {
            add_float(&self.value.mine()[0], more);
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn get(&self) -> f64 {
        let mut sum = 0.0;
        self.value
            .each(|words| sum += f64::from_bits(words[0].load(Ordering::Relaxed)));
        sum
    }
}

impl Instrument for FloatCounter {
    type Config = ();

    const KIND: Kind = Kind::Counter;
    const NAME: &'static str = "float";

    fn new((): &()) -> Self {
        Self {
            value: Sharded::new([AtomicU64::new(0)]),
        }
    }

    fn point(&self, (): &(), start: SystemTime, _: &mut Vec<u64>, show: &mut dyn FnMut(&Point<'_>)) {
        show(&Point::Counter(CounterPoint {
            value: Number::Float(self.get()),
            start,
            exemplar: None,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_counter_never_falls() {
        let counter = FloatCounter::new(&());
        for more in [1.5, -1.0, f64::NAN, f64::INFINITY, 0.25] {
            counter.inc_by(more);
        }
        assert!((counter.get() - 1.75).abs() < f64::EPSILON);
    }
}
