//! How many distinct values a label may take.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::{CounterFamily, table::Table};

/// The known values of one label of one family, never more than its budget.
#[derive(Debug)]
pub(crate) struct Budget {
    values: Table<Box<str>>,
    most: usize,
    hasher: RandomState,
    overflow: Option<Overflow>,
}

/// Counts what a budget refused, in `vitals_label_overflow_total`.
#[derive(Clone, Debug)]
pub(crate) struct Overflow {
    pub(crate) family: CounterFamily<2>,
    pub(crate) of: Box<str>,
    pub(crate) label: Box<str>,
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

    /// Whether the value is known or there is room for it. A refusal is counted.
    pub(crate) fn admit(&self, value: &str) -> bool {
        let hash = self.hasher.hash_one(value);
        let admitted = self
            .values
            .get_or_insert(hash, |known| **known == *value, self.most, |_| value.into());
        if let (None, Some(overflow)) = (&admitted, &self.overflow) {
            overflow.count();
        }
        admitted.is_some()
    }
}

impl Overflow {
    pub(crate) fn count(&self) {
        self.family.with([&self.of, &self.label]).inc();
    }
}
