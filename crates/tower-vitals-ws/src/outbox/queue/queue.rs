use std::collections::VecDeque;

use super::{counts::Counts, data::Data, waiting::Waiter};
use crate::{
    DropReason,
    ledger::{Amount, Dropped},
    outbox::{Outbox, Overflow, entry::Entry},
};

/// The messages of one connection that wait to be handed to the library.
#[derive(Debug)]
pub(in crate::outbox) struct Queue<M> {
    pub(super) rules: Rules,
    pub(super) state: State,
    /// Texts, binary messages, and the closing message behind them.
    pub(super) data: Data<M>,
    /// Pings and pongs, which go ahead.
    pub(super) control: VecDeque<Entry<M>>,
    /// Senders that wait for room, in the order in which they came. After it was closed these are they who have not yet been told.
    pub(super) waiting: VecDeque<Waiter<M>>,
    pub(super) counts: Counts,
    /// How often something was sent.
    pub(super) tickets: u64,
    /// Since when there is no room for what is refused.
    pub(super) refuses_since: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) max_bytes: usize,
    pub(super) overflow: Overflow,
    pub(super) expires_in: Option<std::time::Duration>,
}

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// A closing message waits, or has left. Nothing comes behind it.
    Closing,
    /// Nothing waits any more.
    Closed(DropReason),
    /// The same, and the connection has been counted.
    Settled(DropReason),
}

/// So many pings and pongs may wait.
pub(super) const MOST_CONTROL: usize = 64;

impl<M> Queue<M> {
    pub(in crate::outbox) fn new(settings: &Outbox<M>) -> Self {
        Self {
            rules: Rules {
                max_bytes: settings.max_bytes,
                overflow: settings.overflow,
                expires_in: settings.expires_in,
            },
            state: State::Open,
            data: Data::new(settings.max_messages, settings.max_bytes),
            control: VecDeque::new(),
            waiting: VecDeque::new(),
            counts: Counts::new(settings.on_gap.is_some()),
            tickets: 0,
            refuses_since: None,
        }
    }

    pub(in crate::outbox) fn queued(&self) -> Amount {
        self.counts.queued
    }

    pub(in crate::outbox) fn dropped(&self) -> &Dropped {
        &self.counts.dropped
    }

    /// Whether nothing more is taken.
    pub(in crate::outbox) fn is_closed(&self) -> bool {
        self.state != State::Open
    }

    /// Whether nothing will come out any more, and if so, why that is.
    pub(in crate::outbox) fn ended(&self) -> Option<DropReason> {
        match self.state {
            State::Closed(reason) | State::Settled(reason) => Some(reason),
            State::Open | State::Closing => None,
        }
    }

    /// Since when the first of all waits, in nanoseconds of the clock.
    pub(in crate::outbox) fn since(&self) -> Option<u64> {
        let waits = self.waiting.front().filter(|_| self.ended().is_none());
        let firsts = [self.data.front(), self.control.front(), waits.map(|waiter| &waiter.entry)];
        firsts.into_iter().flatten().map(|entry| entry.since).min()
    }

    /// Since when there is no room for what is refused.
    pub(in crate::outbox) fn refuses_since(&self) -> Option<u64> {
        self.refuses_since
    }

    /// Whether what comes out next depends on what time it is.
    pub(in crate::outbox) fn needs_time(&self) -> bool {
        self.data.may_expire()
    }

    pub(super) fn next_ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }
}
