use std::fmt;

use super::{DropReason, Sent, SentWords};

/// What the outbox of a connection adds to its numbers.
///
/// It hands messages over to the words while nobody can read it, so that each is counted in one of both places at any moment.
pub(crate) trait Backlog: fmt::Debug + Send + Sync {
    /// The words with what it adds, all of one moment.
    fn read(&self, words: &SentWords) -> Sent;

    /// The connection ended, and what waits is dropped for this reason. What it adds changes no more: what is attempted from here on is no
    /// longer this connection's.
    fn settle(&self, reason: DropReason);

    /// Since when something waits in it, in nanoseconds of the clock, if something does.
    fn waits_since(&self) -> Option<u64>;
}
