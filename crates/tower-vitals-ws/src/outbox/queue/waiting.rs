use std::task::Waker;

use super::Queue;
use crate::{
    DropReason, MessageKind, WsMessage,
    outbox::{Key, aftermath::Aftermath, entry::Entry},
};

/// A sender that waits for room, and its message, which goes in without it as soon as there is some.
#[derive(Debug)]
pub(in crate::outbox) struct Waiter<M> {
    pub(super) entry: Entry<M>,
    pub(super) waker: Option<Waker>,
}

impl<M> Waiter<M> {
    pub(super) fn new(entry: Entry<M>) -> Self {
        Self { entry, waker: None }
    }
}

/// Whether it is a sender's turn.
#[derive(Debug)]
pub(in crate::outbox) enum Turn<M> {
    /// The message went in.
    Taken,
    /// It waits.
    Waits,
    /// Nothing goes in any more.
    Closed(M),
}

impl<M: WsMessage> Queue<M> {
    /// Asks for a sender that waits, and wakes it when there is another answer.
    pub(in crate::outbox) fn turn(&mut self, ticket: u64, waker: &Waker) -> Turn<M> {
        let Some(position) = self.position(ticket) else {
            return Turn::Taken;
        };
        if self.ended().is_some() {
            return match self.waiting.remove(position) {
                Some(waiter) => Turn::Closed(waiter.entry.message),
                None => Turn::Taken,
            };
        }
        if let Some(waiter) = self.waiting.get_mut(position) {
            match &mut waiter.waker {
                Some(known) => known.clone_from(waker),
                None => waiter.waker = Some(waker.clone()),
            }
        }
        Turn::Waits
    }

    /// A sender waits no longer. Gives its message, unless it went in.
    pub(in crate::outbox) fn give_up(&mut self, ticket: u64, reason: DropReason, after: &mut Aftermath<M>) -> Option<M> {
        let waiter = self.waiting.remove(self.position(ticket)?)?;
        if self.ended().is_none() {
            self.counts.lose(reason, waiter.entry.amount());
            // Those behind it may need less room.
            self.let_in(after);
        }
        Some(waiter.entry.message)
    }

    /// Something went out of the way.
    pub(super) fn see_room(&mut self, after: &mut Aftermath<M>) {
        self.refuses_since = None;
        self.let_in(after);
    }

    /// Lets those in that have waited longest, as far as there is room.
    fn let_in(&mut self, after: &mut Aftermath<M>) {
        while let Some(waiter) = self.waiting.pop_front() {
            let Waiter { entry, waker } = waiter;
            if let Err(entry) = self.enter(entry, after) {
                self.waiting.push_front(Waiter { entry, waker });
                return;
            }
            after.wakers.extend(waker);
        }
    }

    /// A message with this key went in. Those that wait with the same are older: they never get in, and their senders need not wait.
    pub(super) fn supersede(&mut self, key: &Key, after: &mut Aftermath<M>) {
        for _ in 0..self.waiting.len() {
            let Some(waiter) = self.waiting.pop_front() else { break };
            if waiter.entry.key.as_ref() == Some(key) {
                after.wakers.extend(waiter.waker);
                self.lose(DropReason::Coalesced, waiter.entry, after);
            } else {
                self.waiting.push_back(waiter);
            }
        }
        self.let_in(after);
    }

    fn enter(&mut self, entry: Entry<M>, after: &mut Aftermath<M>) -> Result<(), Entry<M>> {
        match self.data.replace(entry) {
            Ok(old) => self.lose(DropReason::Coalesced, old, after),
            Err(entry) if entry.facts.kind == MessageKind::Close || self.can_append(&entry) => self.data.append(entry),
            Err(entry) => return Err(entry),
        }
        Ok(())
    }

    fn position(&self, ticket: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&ticket, |waiter| waiter.entry.ticket).ok()
    }
}
