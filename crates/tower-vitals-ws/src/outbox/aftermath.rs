use std::task::Waker;

use crate::{DropReason, ledger::Amount};

/// What is left to be done once nobody holds the queue any more: who is to be woken, and messages whose drop is nobody's business but theirs.
#[derive(Debug)]
pub(super) struct Aftermath<M> {
    /// Whether the one that sends has something to do that cannot wait until it is woken anyway.
    pub(super) is_urgent: bool,
    /// Whether nothing more is taken from now on.
    pub(super) has_closed: bool,
    /// An attempt on a connection that has ended.
    pub(super) late: Option<(DropReason, Amount)>,
    /// Senders that have waited.
    pub(super) wakers: Vec<Waker>,
    /// Whom there is no reason to wake any more.
    pub(super) forgotten: Option<Waker>,
    /// Mostly there is one at most, which takes no allocation.
    message: Option<M>,
    messages: Vec<M>,
}

impl<M> Aftermath<M> {
    pub(super) fn new() -> Self {
        Self {
            is_urgent: false,
            has_closed: false,
            late: None,
            wakers: Vec::new(),
            forgotten: None,
            message: None,
            messages: Vec::new(),
        }
    }

    pub(super) fn discard(&mut self, message: M) {
        if let Some(message) = self.message.replace(message) {
            self.messages.push(message);
        }
    }
}
