//! How the series of a family that expires come to their end.

use std::hash::BuildHasher;

use super::{Series, family::Inner, values::Values};
use crate::{
    budget::Known,
    idle::{Expiry, LastUse},
    instrument::Instrument,
    table::Entry,
};

/// What a series keeps in a family that expires.
#[derive(Debug)]
pub(crate) struct Aging {
    last_use: LastUse,
    /// The values as their labels' budgets know them, which they do as long as somebody holds these.
    _values: Box<[Known]>,
}

impl Aging {
    pub(super) fn new(now: u64, values: Vec<Known>) -> Self {
        Self {
            last_use: LastUse::new(now),
            _values: values.into(),
        }
    }
}

impl<I: Instrument> Inner<I> {
    /// Notes that a series is used now, where that matters.
    #[inline]
    pub(super) fn touch(&self, series: &Series<I>) {
        if let Some(expiry) = &self.expiry {
            self.touch_within(expiry, series);
        }
    }

    fn touch_within(&self, expiry: &Expiry, series: &Series<I>) {
        if let Some(aging) = &series.aging {
            aging.last_use.touch(self.clock.nanos(), expiry.grain());
        }
    }

    /// Lets go of all series that were idle for too long, and says whether it looked for them: not when that was done a moment ago, and
    /// not in a family that does not expire. No lock of this family may be held.
    pub(crate) fn expire(&self) -> bool {
        let Some(expiry) = &self.expiry else {
            return false;
        };
        let now = self.clock.nanos();
        if !expiry.may_sweep(now) {
            return false;
        }
        for number in 0..self.table.end() {
            self.expire_slot(number, expiry, now);
        }
        for allowed in &self.values {
            if let Values::Open(budget) = allowed {
                budget.forget_unused();
            }
        }
        true
    }

    fn expire_slot(&self, number: usize, expiry: &Expiry, now: u64) {
        let is_over = |series: &Series<I>| {
            let aging = series.aging.as_deref();
            series.instrument.is_idle() && aging.is_some_and(|aging| expiry.is_over(&aging.last_use, now))
        };
        let Some(series) = self.table.slot(number) else {
            return;
        };
        if Entry::is_held(&series) || !series.instrument.is_idle() {
            // Who holds it may use it at any time, and is not asked to say so.
            return self.touch_within(expiry, &series);
        }
        if !is_over(&series) {
            return;
        }
        // Borrowed by us, it would not go.
        drop(series);
        let hash = |series: &Series<I>| self.hasher.hash_one(series.labels.values().collect::<Vec<_>>().as_slice());
        if let Some(series) = self.table.take_slot(number, hash, is_over) {
            self.forget(series);
        }
    }

    /// Makes room in the labels' budgets for a series that is gone, in a family that expires.
    pub(super) fn forget(&self, series: Series<I>) {
        let Some(aging) = series.aging else {
            return;
        };
        drop(aging);
        for (value, allowed) in series.labels.values().zip(&self.values) {
            if let Values::Open(budget) = allowed {
                budget.forget(value);
            }
        }
    }
}
