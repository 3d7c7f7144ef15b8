use super::Queue;
use crate::{
    DropReason, MessageKind, WsMessage,
    outbox::{aftermath::Aftermath, entry::Entry},
};

/// What is to be sent next.
#[derive(Debug)]
pub(in crate::outbox) enum Popped<M> {
    Message(Entry<M>),
    /// Word that so many were missed.
    Gap(u64),
    /// Nothing.
    Nothing,
}

impl<M: WsMessage> Queue<M> {
    /// Takes what is to be sent next.
    pub(in crate::outbox) fn pop(&mut self, now: u64, after: &mut Aftermath<M>) -> Popped<M> {
        if let Some(entry) = self.control.pop_front() {
            self.counts.leave(entry.amount());
            return Popped::Message(entry);
        }
        while let Some(entry) = self.data.front() {
            let is_expired = entry.expires <= now;
            if !is_expired && entry.facts.kind != MessageKind::Close {
                if let Some(missed) = self.counts.take_missed() {
                    return Popped::Gap(missed);
                }
            }
            let Some(entry) = self.data.pop_front() else { break };
            if is_expired {
                self.lose(DropReason::Expired, entry, after);
                self.see_room(after);
                continue;
            }
            self.counts.deliver(entry.amount());
            self.see_room(after);
            return Popped::Message(entry);
        }
        self.counts.rest();
        Popped::Nothing
    }

    /// Whether nothing is to be sent.
    pub(in crate::outbox) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.control.is_empty()
    }
}
