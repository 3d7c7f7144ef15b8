use tower_vitals_core::ClosedLabel;

use super::{Amount, DropReason};

/// What was dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped(pub(super) [Amount; DropReason::ALL.len()]);

impl Dropped {
    /// This much, for one reason.
    pub(crate) fn one(reason: DropReason, amount: Amount) -> Self {
        let mut dropped = Self::default();
        dropped.count(reason, amount);
        dropped
    }

    pub(crate) fn count(&mut self, reason: DropReason, amount: Amount) {
        self.0[reason as usize] += amount;
    }

    pub(crate) fn of(&self, reason: DropReason) -> Amount {
        self.0[reason as usize]
    }

    /// For any reason.
    pub(crate) fn sum(&self) -> Amount {
        self.0.into_iter().sum()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (dropped, more) in self.0.iter_mut().zip(other.0) {
            *dropped += more;
        }
    }
}
