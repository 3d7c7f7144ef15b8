use super::{
    Queue,
    queue::{MOST_CONTROL, State},
    waiting::Waiter,
};
use crate::{
    DropReason, MessageKind, WsMessage,
    ledger::Amount,
    outbox::{
        Outgoing, Overflow, SendErrorKind,
        aftermath::Aftermath,
        entry::{Entry, nanos},
    },
    socket::Facts,
};

/// Whether a sender would wait for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::outbox) enum Mode {
    Wait,
    Try,
}

/// What came of a message that was sent.
#[derive(Debug)]
pub(in crate::outbox) enum Pushed<M> {
    /// It waits to be handed over.
    Queued,
    /// Its sender waits for room, by this number.
    Waits(u64),
    Refused(SendErrorKind, M),
}

/// What a ping or a pong may carry (RFC 6455, section 5.5).
const LARGEST_CONTROL: usize = 125;

impl<M: WsMessage> Queue<M> {
    /// Sends a message.
    pub(in crate::outbox) fn push(
        &mut self,
        outgoing: impl Into<Outgoing<M>>,
        mode: Mode,
        now: u64,
        after: &mut Aftermath<M>,
    ) -> Pushed<M> {
        let outgoing = outgoing.into();
        let facts = Facts::of(&outgoing.message);
        let ticket = self.next_ticket();
        let entry = Entry::new(outgoing, facts, self.rules.expires_in, ticket, now);
        match facts.kind {
            _ if self.is_closed() => self.refuse(SendErrorKind::Closed, closed(facts.kind), entry, after),
            MessageKind::Ping | MessageKind::Pong if facts.bytes > LARGEST_CONTROL => {
                self.refuse(SendErrorKind::TooLarge, DropReason::TooLarge, entry, after)
            }
            MessageKind::Ping | MessageKind::Pong if self.control.len() >= MOST_CONTROL => {
                self.refuse(SendErrorKind::Full, DropReason::QueueFull, entry, after)
            }
            MessageKind::Ping | MessageKind::Pong => {
                self.counts.enter(entry.amount());
                self.control.push_back(entry);
                Pushed::Queued
            }
            MessageKind::Close => self.push_close(entry, after),
            MessageKind::Text | MessageKind::Binary if facts.bytes > self.rules.max_bytes => {
                self.refuse(SendErrorKind::TooLarge, DropReason::TooLarge, entry, after)
            }
            MessageKind::Text | MessageKind::Binary => self.push_data(entry, mode, now, after),
        }
    }

    /// Messages that were to be sent went by without ever getting here.
    pub(in crate::outbox) fn lag(&mut self, messages: u64, after: &mut Aftermath<M>) {
        self.count_refused(DropReason::Lagged, Amount { messages, bytes: 0 }, after);
    }

    /// It comes behind all that was sent before, and behind it comes nothing.
    fn push_close(&mut self, mut entry: Entry<M>, after: &mut Aftermath<M>) -> Pushed<M> {
        (entry.key, entry.expires) = (None, crate::outbox::entry::NEVER);
        self.state = State::Closing;
        after.has_closed = true;
        self.counts.enter(entry.amount());
        if self.waiting.is_empty() {
            self.data.append(entry);
        } else {
            self.waiting.push_back(Waiter::new(entry));
        }
        Pushed::Queued
    }

    fn push_data(&mut self, entry: Entry<M>, mode: Mode, now: u64, after: &mut Aftermath<M>) -> Pushed<M> {
        let amount = entry.amount();
        let fitted = self.fit(entry, after).or_else(|entry| {
            self.expire(now, after);
            self.fit(entry, after)
        });
        match fitted {
            Ok(()) => {
                self.counts.enter(amount);
                Pushed::Queued
            }
            Err(entry) => self.overflow(entry, mode, now, after),
        }
    }

    /// There is no room for it.
    fn overflow(&mut self, entry: Entry<M>, mode: Mode, now: u64, after: &mut Aftermath<M>) -> Pushed<M> {
        match self.rules.overflow {
            Overflow::Block { .. } if mode == Mode::Wait => {
                self.counts.enter(entry.amount());
                let ticket = entry.ticket;
                self.waiting.push_back(Waiter::new(entry));
                Pushed::Waits(ticket)
            }
            Overflow::Block { .. } | Overflow::DropNewest => {
                self.refuse(SendErrorKind::Full, DropReason::QueueFull, entry, after)
            }
            Overflow::DropOldest => {
                self.counts.enter(entry.amount());
                self.evict_for(entry, after);
                Pushed::Queued
            }
            Overflow::DisconnectSlow { grace, .. } => {
                let pushed = self.refuse(SendErrorKind::Full, DropReason::SlowConsumer, entry, after);
                // Somebody has to see when it has been too long.
                after.is_urgent |= self.refuses_since.is_none();
                let since = *self.refuses_since.get_or_insert(now);
                if now.saturating_sub(since) >= nanos(grace) {
                    self.close(DropReason::SlowConsumer, after);
                    after.is_urgent = true;
                }
                pushed
            }
        }
    }

    /// Takes a message for which there is a place, unless others have waited longer for one.
    fn fit(&mut self, entry: Entry<M>, after: &mut Aftermath<M>) -> Result<(), Entry<M>> {
        let waits = !self.waiting.is_empty();
        let key = entry.key.clone().filter(|_| waits);
        match self.data.replace(entry) {
            Ok(old) => {
                self.lose(DropReason::Coalesced, old, after);
                if let Some(key) = key {
                    self.supersede(&key, after);
                }
            }
            Err(entry) if !waits && self.can_append(&entry) => self.data.append(entry),
            Err(entry) => return Err(entry),
        }
        Ok(())
    }

    /// Whether it has a place behind all others. Where there is one with its key, it has only that.
    pub(super) fn can_append(&self, entry: &Entry<M>) -> bool {
        self.data.has_room(entry.facts.bytes) && !self.data.has(entry.key.as_ref())
    }

    /// Has the oldest give way until there is room.
    fn evict_for(&mut self, mut entry: Entry<M>, after: &mut Aftermath<M>) {
        while let Some(oldest) = self.data.pop_front() {
            self.lose(DropReason::Evicted, oldest, after);
            entry = match self.fit(entry, after) {
                Ok(()) => return,
                Err(entry) => entry,
            };
        }
        // No message is larger than an empty outbox.
        self.data.append(entry);
    }

    /// Drops what has expired, and gives its room to who waits for it.
    pub(super) fn expire(&mut self, now: u64, after: &mut Aftermath<M>) {
        let counts = &mut self.counts;
        let mut has_expired = false;
        self.data.purge(now, |entry| {
            has_expired = true;
            counts.lose(DropReason::Expired, entry.amount());
            after.discard(entry.message);
        });
        if has_expired {
            self.see_room(after);
        }
    }

    /// What waited gets no further.
    pub(super) fn lose(&mut self, reason: DropReason, entry: Entry<M>, after: &mut Aftermath<M>) {
        self.counts.lose(reason, entry.amount());
        after.discard(entry.message);
    }

    fn refuse(&mut self, kind: SendErrorKind, reason: DropReason, entry: Entry<M>, after: &mut Aftermath<M>) -> Pushed<M> {
        self.count_refused(reason, entry.amount(), after);
        Pushed::Refused(kind, entry.message)
    }

    fn count_refused(&mut self, reason: DropReason, amount: Amount, after: &mut Aftermath<M>) {
        if matches!(self.state, State::Settled(_)) {
            after.late = Some((reason, amount));
        } else {
            self.counts.refuse(reason, amount);
        }
    }
}

/// Why a message is dropped that comes too late.
pub(super) fn closed(kind: MessageKind) -> DropReason {
    match kind {
        MessageKind::Close => DropReason::Closing,
        _ => DropReason::Closed,
    }
}
