use std::time::Duration;

use super::{Key, Outgoing};
use crate::{WsMessage, ledger::Amount, socket::Facts};

/// A message that waits.
#[derive(Debug)]
pub(super) struct Entry<M> {
    pub(super) message: M,
    pub(super) facts: Facts,
    pub(super) key: Option<Key>,
    /// Where it stands in the order. One that took another's place has that.
    pub(super) place: u64,
    /// Its number, in the order in which all were sent.
    pub(super) ticket: u64,
    /// Since when somebody waits at its place, in nanoseconds of the clock.
    pub(super) since: u64,
    /// When it was sent.
    pub(super) sent: u64,
    /// When it is no good any more.
    pub(super) expires: u64,
}

/// What does not expire.
pub(super) const NEVER: u64 = u64::MAX;

impl<M: WsMessage> Entry<M> {
    pub(super) fn new(outgoing: Outgoing<M>, facts: Facts, expires_in: Option<Duration>, ticket: u64, now: u64) -> Self {
        let expires_in = outgoing.expires_in.or(expires_in);
        Self {
            message: outgoing.message,
            facts,
            key: outgoing.key,
            place: ticket,
            ticket,
            since: now,
            sent: now,
            expires: expires_in.map_or(NEVER, |time| now.saturating_add(nanos(time))),
        }
    }
}

impl<M> Entry<M> {
    pub(super) fn amount(&self) -> Amount {
        Amount::message(self.facts.bytes)
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
