use super::{Queue, push::closed, queue::State};
use crate::{DropReason, WsMessage, outbox::aftermath::Aftermath};

impl<M: WsMessage> Queue<M> {
    /// Nothing goes out any more, and nothing in. What waits is dropped for this reason; it counts once.
    pub(in crate::outbox) fn close(&mut self, reason: DropReason, after: &mut Aftermath<M>) {
        if self.ended().is_some() {
            return;
        }
        self.state = State::Closed(reason);
        self.refuses_since = None;
        after.has_closed = true;
        while let Some(entry) = self.control.pop_front().or_else(|| self.data.pop_front()) {
            self.lose(reason_of(reason, entry.facts.kind), entry, after);
        }
        // Their messages are theirs.
        for waiter in &mut self.waiting {
            let entry = &waiter.entry;
            self.counts.lose(reason_of(reason, entry.facts.kind), entry.amount());
            after.wakers.extend(waiter.waker.take());
        }
    }

    /// The connection is counted with what is counted here now. What comes later is not.
    pub(in crate::outbox) fn settle(&mut self, reason: DropReason, after: &mut Aftermath<M>) {
        self.close(reason, after);
        if let State::Closed(reason) = self.state {
            self.state = State::Settled(reason);
        }
    }
}

/// A closing message that the connection was closed without is nothing that is lost.
fn reason_of(reason: DropReason, kind: crate::MessageKind) -> DropReason {
    match reason {
        DropReason::Closed => closed(kind),
        reason => reason,
    }
}
