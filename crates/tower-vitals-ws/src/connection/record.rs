use http::Version;

use crate::ledger::{Received, ReceivedWords, Sent, SentWords};

/// What is known of a connection, read by whoever scrapes.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) sent: SentWords,
    pub(crate) received: ReceivedWords,
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
            version,
            began,
        }
    }

    pub(crate) fn messages(&self) -> Messages {
        Messages {
            sent: self.sent.read(),
            received: self.received.read(),
        }
    }
}

impl Messages {
    pub(crate) fn add(&mut self, other: &Self) {
        self.sent.add(&other.sent);
        self.received.add(&other.received);
    }
}
