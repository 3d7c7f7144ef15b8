//! How many distinct values a label may take.

use std::{
    hash::BuildHasher,
    sync::atomic::{AtomicBool, Ordering},
};

// A model must do the same in each run.
#[cfg(all(test, loom))]
use foldhash::fast::FixedState as RandomState;
#[cfg(not(all(test, loom)))]
use foldhash::fast::RandomState;

use crate::{
    CounterFamily,
    sync::Arc,
    table::{Entry, Table},
};

/// The known values of one label of one family, never more than its budget.
#[derive(Debug)]
pub(crate) struct Budget {
    values: Table<Box<str>>,
    most: usize,
    hasher: RandomState,
    overflow: Option<Overflow>,
}

/// A value as its budget knows it.
pub(crate) type Known = Arc<Box<str>>;

/// Counts what a budget or a closed set refused, in `vitals_label_overflow_total`. When a budget refuses for the first time it warns.
#[derive(Debug)]
pub(crate) struct Overflow {
    family: CounterFamily<2>,
    of: Box<str>,
    label: Box<str>,
    /// None for a closed set, which is meant to refuse.
    budget: Option<usize>,
    warned: AtomicBool,
}

impl Budget {
    pub(crate) fn new(most: usize, overflow: Option<Overflow>) -> Self {
        Self {
            values: Table::new(),
            most,
            hasher: RandomState::default(),
            overflow,
        }
    }

    /// The value, if it is known or there is room for it. It stays known as long as that is held, and in a family that does not expire
    /// for ever.
    pub(crate) fn admit(&self, value: &str) -> Option<Entry<Box<str>>> {
        let hash = self.hasher.hash_one(value);
        self.values
            .get_or_insert(hash, |known| **known == *value, self.most, |_| value.into())
    }

    /// Counts a refusal.
    pub(crate) fn count_refusal(&self) {
        self.count_refusal_beyond(self.most);
    }

    /// Counts a refusal by somebody who keeps a budget of its own for this label.
    pub(crate) fn count_refusal_beyond(&self, most: usize) {
        if let Some(overflow) = &self.overflow {
            overflow.count_beyond(Some(most));
        }
    }

    /// Makes room where a value was, unless somebody holds it.
    pub(crate) fn forget(&self, value: &str) {
        let hash = self.hasher.hash_one(value);
        self.values.remove_if(hash, |known| **known == *value);
    }

    /// Makes room where values are that nobody holds.
    pub(crate) fn forget_unused(&self) {
        for number in 0..self.values.end() {
            let is_unused = self.values.slot(number).is_some_and(|value| !Entry::is_held(&value));
            if is_unused {
                self.values
                    .take_slot(number, |value| self.hasher.hash_one(&**value), |_| true);
            }
        }
    }
}

impl Overflow {
    pub(crate) fn new(family: CounterFamily<2>, of: &str, label: &str, budget: Option<usize>) -> Self {
        Self {
            family,
            of: of.into(),
            label: label.into(),
            budget,
            warned: AtomicBool::new(false),
        }
    }

    pub(crate) fn count(&self) {
        self.count_beyond(self.budget);
    }

    fn count_beyond(&self, budget: Option<usize>) {
        self.family.with([&self.of, &self.label]).inc();
        if let Some(budget) = budget {
            // The swap only once, because it writes where an attack makes many threads come.
            if !self.warned.load(Ordering::Relaxed) && !self.warned.swap(true, Ordering::Relaxed) {
                self.warn(budget);
            }
        }
    }

    /// Says which label of which family has more values than it may. The values are strangers' words, and are not repeated.
    #[cold]
    fn warn(&self, budget: usize) {
        tracing::warn!(
            family = &*self.of,
            label = &*self.label,
            budget,
            "budget of label values used up, further ones are recorded as _other"
        );
    }
}
