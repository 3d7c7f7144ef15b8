use crate::{
    DropReason,
    ledger::{Amount, Dropped},
};

/// What waits, and what became of what does not get any further.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) queued: Amount,
    pub(super) dropped: Dropped,
    /// What the other side missed since it was told last. None when it is not told.
    missed: Option<u64>,
    /// Whether it was told, and nothing that it did not miss came behind that yet.
    is_told: bool,
}

impl Counts {
    pub(super) fn new(tells: bool) -> Self {
        Self {
            queued: Amount::default(),
            dropped: Dropped::default(),
            missed: tells.then_some(0),
            is_told: false,
        }
    }

    /// Something is attempted, and waits.
    pub(super) fn enter(&mut self, amount: Amount) {
        self.queued += amount;
    }

    /// Nothing waits, so the next message has word of what was missed ahead of it again.
    pub(super) fn rest(&mut self) {
        self.is_told = false;
    }

    /// What waited gets on, behind word of what was missed.
    pub(super) fn deliver(&mut self, amount: Amount) {
        self.is_told = false;
        self.leave(amount);
    }

    /// What waited gets on.
    pub(super) fn leave(&mut self, amount: Amount) {
        self.queued = self.queued - amount;
    }

    /// What waited does not get any further.
    pub(super) fn lose(&mut self, reason: DropReason, amount: Amount) {
        self.leave(amount);
        self.refuse(reason, amount);
    }

    /// Something is attempted, and does not even wait.
    pub(super) fn refuse(&mut self, reason: DropReason, amount: Amount) {
        self.dropped.count(reason, amount);
        if let Some(missed) = &mut self.missed {
            *missed += if is_missed(reason) { amount.messages } else { 0 };
        }
    }

    /// What the other side has to be told that it missed. Once for each message that it gets, however much it misses in between.
    pub(super) fn take_missed(&mut self) -> Option<u64> {
        if self.is_told {
            return None;
        }
        let missed = self.missed.as_mut().filter(|missed| **missed > 0)?;
        self.is_told = true;
        Some(std::mem::take(missed))
    }
}

/// Whether it was a policy that had the message dropped.
fn is_missed(reason: DropReason) -> bool {
    use DropReason as R;
    matches!(
        reason,
        R::QueueFull | R::Evicted | R::Expired | R::SlowConsumer | R::SendTimeout | R::Lagged
    )
}
