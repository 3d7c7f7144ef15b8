//! Which label values may stand in the series of a family.

use std::borrow::Cow;

use super::family::Inner;
use crate::{
    budget::{Budget, Known, Overflow},
    instrument::Instrument,
    labels::{OTHER, label_value},
    table::Entry,
};

/// The values that a label may take, as the family checks them.
#[derive(Debug)]
pub(super) enum Values {
    Open(Box<Budget>),
    Closed {
        set: Cow<'static, [&'static str]>,
        overflow: Option<Overflow>,
    },
}

/// Label values as a series may have them.
pub(super) struct Bounded<'a> {
    pub(super) values: Vec<Cow<'a, str>>,
    /// Those with a budget, as it knows them; only in families that expire.
    pub(super) known: Vec<Known>,
}

/// A value may not stand in a series.
pub(super) struct Refused;

/// The values as a series keeps them.
pub(super) fn as_kept<'a>(values: &[&'a str]) -> Vec<Cow<'a, str>> {
    values.iter().map(|value| label_value(value)).collect()
}

// === impl Values ===

impl Values {
    pub(super) fn open(most: usize, overflow: Option<Overflow>) -> Self {
        Self::Open(Box::new(Budget::new(most, overflow)))
    }

    pub(super) fn closed(set: Cow<'static, [&'static str]>, overflow: Option<Overflow>) -> Self {
        Self::Closed { set, overflow }
    }
}

// === impl Inner ===

impl<I: Instrument> Inner<I> {
    /// The values as a series may have them. A full family takes no new ones: they would use up budgets for nothing.
    pub(super) fn bound<'a>(&self, values: &[&'a str], full: bool) -> Bounded<'a> {
        let mut known = Vec::new();
        let bound = |(value, allowed): (&&'a str, &Values)| {
            let value = label_value(value);
            if full && matches!(allowed, Values::Open(_)) {
                return value;
            }
            match self.admit(allowed, &value) {
                Ok(admitted) => {
                    if self.expiry.is_some() {
                        known.extend(admitted.map(|value| value.hold()));
                    }
                    value
                }
                Err(Refused) => Cow::Borrowed(OTHER),
            }
        };
        let values = values.iter().zip(&self.values).map(bound).collect();
        Bounded { values, known }
    }

    /// Whether the value may stand in a series; and how its budget knows it, where it has one. A refusal is counted.
    pub(super) fn admit(&self, allowed: &Values, value: &str) -> Result<Option<Entry<Box<str>>>, Refused> {
        match allowed {
            _ if *value == *OTHER => Ok(None),
            Values::Open(budget) => {
                let again = || self.expire().then(|| budget.admit(value)).flatten();
                let admitted = budget.admit(value).or_else(again);
                if admitted.is_none() {
                    budget.count_refusal();
                }
                admitted.map(Some).ok_or(Refused)
            }
            Values::Closed { set, .. } if set.contains(&value) => Ok(None),
            Values::Closed { overflow, .. } => {
                if let Some(overflow) = overflow {
                    overflow.count();
                }
                Err(Refused)
            }
        }
    }
}
