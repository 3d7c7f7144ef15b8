use std::{
    sync::{Arc, OnceLock},
    task::Wake,
    time::Duration,
};

use http::Version;

use super::{Orders, Signs};
use crate::{
    Connection, ConnectionId, DropReason, Quality,
    ledger::{Backlog, Received, ReceivedWords, Sent, SentWords},
};

/// What is known of a connection, read by whoever scrapes.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) sent: SentWords,
    pub(crate) received: ReceivedWords,
    pub(crate) signs: Signs,
    pub(crate) orders: Orders,
    /// What waits to be sent before the words know of it.
    pub(crate) outbox: OnceLock<Arc<dyn Backlog>>,
    /// The version of HTTP that it began as.
    pub(crate) version: Version,
    /// When it began, in nanoseconds of the clock.
    pub(crate) began: u64,
}

/// What came of messages, both ways, at one moment each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Messages {
    pub(crate) sent: Sent,
    pub(crate) received: Received,
}

impl Record {
    pub(crate) fn new(version: Version, began: u64) -> Self {
        Self {
            sent: SentWords::new(),
            received: ReceivedWords::new(),
            signs: Signs::new(began),
            orders: Orders::default(),
            outbox: OnceLock::new(),
            version,
            began,
        }
    }

    /// For how long the oldest message that is known to wait has been waiting.
    pub(crate) fn unsent(&self, now: u64) -> Option<u64> {
        let queued = self.waits_since();
        let queued = queued.map(|since| now.saturating_sub(since));
        self.signs.stalled(now).max(queued)
    }

    pub(crate) fn quality(&self, now: u64) -> Quality {
        Quality::of(self.signs.rtt(), self.unsent(now), self.signs.missed())
    }

    /// The connection as operators see it.
    pub(crate) fn list(&self, endpoint: &str, id: ConnectionId, now: u64) -> Connection {
        let Messages { sent, received } = self.messages();
        let buffered = sent.buffered();
        let since = |then: u64| Duration::from_nanos(now.saturating_sub(then));
        Connection {
            id,
            endpoint: endpoint.to_owned(),
            http_version: self.version,
            age: since(self.began),
            idle: since(self.signs.active()),
            rtt: self.signs.rtt().map(Duration::from_nanos),
            quality: self.quality(now),
            queued_messages: sent.queued.messages,
            queued_bytes: sent.queued.bytes,
            buffered_messages: buffered.messages,
            buffered_bytes: buffered.bytes,
            unsent: self.unsent(now).map(Duration::from_nanos),
            dropped_messages: sent.all_dropped().messages,
            received_messages: received.all().messages,
            attempted_messages: sent.attempted.messages,
        }
    }

    pub(crate) fn messages(&self) -> Messages {
        Messages {
            sent: self
                .outbox
                .get()
                .map_or_else(|| self.sent.read(), |outbox| outbox.read(&self.sent)),
            received: self.received.read(),
        }
    }

    /// What waits in the outbox is dropped for this reason. From here on, the same messages are read each time.
    pub(crate) fn settle(&self, reason: DropReason) {
        if let Some(outbox) = self.outbox.get() {
            outbox.settle(reason);
        }
    }

    /// Since when something waits in the outbox, where there is one.
    pub(crate) fn waits_since(&self) -> Option<u64> {
        self.outbox.get().and_then(|outbox| outbox.waits_since())
    }
}

/// Wakes the tasks that have the connection.
impl Wake for Record {
    fn wake(self: Arc<Self>) {
        self.orders.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.orders.wake();
    }
}

impl Messages {
    pub(crate) fn add(&mut self, other: &Self) {
        self.sent.add(&other.sent);
        self.received.add(&other.received);
    }
}
