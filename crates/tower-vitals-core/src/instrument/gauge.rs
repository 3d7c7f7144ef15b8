use std::time::SystemTime;

use super::Instrument;
use crate::{
    Kind,
    encode::{Number, Point},
    sharded::add_float,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
};

/// A whole number that rises and falls: sizes, levels, states.
///
/// To count what is going on at the moment, use [`InFlight`](super::InFlight), which gives back what it took even on panic.
#[derive(Debug)]
pub struct Gauge {
    value: AtomicI64,
}

/// A [`Gauge`] for values that are not whole, such as ratios or temperatures.
#[derive(Debug)]
pub struct FloatGauge {
    value: AtomicU64,
}

// === impl Gauge ===

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: i64) {
        self.value.store(value, Ordering::Relaxed);
    }

    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Takes one away.
    pub fn dec(&self) {
        self.add(-1);
    }

    /// Adds an amount, which may be negative.
    pub fn add(&self, more: i64) {
        self.value.fetch_add(more, Ordering::Relaxed);
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl Instrument for Gauge {
    type Config = ();

    const KIND: Kind = Kind::Gauge;
    const NAME: &'static str = "integer";

    fn new((): &()) -> Self {
        Self {
            value: AtomicI64::new(0),
        }
    }

    fn point(&self, (): &(), _: SystemTime, _: &mut Vec<u64>, show: &mut dyn FnMut(&Point<'_>)) {
        show(&Point::Gauge(Number::Signed(self.get())));
    }
}

// === impl FloatGauge ===

impl FloatGauge {
    /// Sets the value.
    pub fn set(&self, value: f64) {
        self.value.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Adds an amount, which may be negative.
    pub fn add(&self, more: f64) {
        add_float(&self.value, more);
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> f64 {
        f64::from_bits(self.value.load(Ordering::Relaxed))
    }
}

impl Instrument for FloatGauge {
    type Config = ();

    const KIND: Kind = Kind::Gauge;
    const NAME: &'static str = "float";

    fn new((): &()) -> Self {
        Self {
            value: AtomicU64::new(0),
        }
    }

    fn point(&self, (): &(), _: SystemTime, _: &mut Vec<u64>, show: &mut dyn FnMut(&Point<'_>)) {
        show(&Point::Gauge(Number::Float(self.get())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_rise_and_fall() {
        let gauge = Gauge::new(&());
        gauge.set(5);
        gauge.inc();
        gauge.add(-8);
        gauge.dec();
        assert_eq!(gauge.get(), -3);
        let float = FloatGauge::new(&());
        float.set(0.5);
        float.add(-2.0);
        assert!((float.get() + 1.5).abs() < f64::EPSILON);
    }
}
