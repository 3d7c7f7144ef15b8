use std::time::Duration;

use super::Key;

/// A message for an outbox, and what it may do with it. Any message is one, of which nothing more is said.
#[derive(Clone, Debug)]
#[must_use]
pub struct Outgoing<M> {
    pub(super) message: M,
    pub(super) key: Option<Key>,
    pub(super) expires_in: Option<Duration>,
}

impl<M> Outgoing<M> {
    /// This message.
    pub fn new(message: M) -> Self {
        Self {
            message,
            key: None,
            expires_in: None,
        }
    }

    /// Only the latest of all messages with this key matters: if one waits, this one takes its place in the order, and the other is
    /// dropped (`coalesced`). Nothing is said by it of pings, pongs and closing messages.
    pub fn latest(mut self, key: impl Into<Key>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// It is good for so long from now, and dropped (`expired`) if it still waits then. Nothing is said by it of pings, pongs and closing
    /// messages.
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.expires_in = Some(time);
        self
    }
}

impl<M> From<M> for Outgoing<M> {
    fn from(message: M) -> Self {
        Self::new(message)
    }
}
