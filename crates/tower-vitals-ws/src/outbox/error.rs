use std::{error::Error, fmt};

/// Why a message did not get into an outbox, and the message itself.
#[derive(Clone, PartialEq, Eq)]
pub struct SendError<M> {
    kind: SendErrorKind,
    message: M,
}

/// Why a message did not get into an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// There is no room for it.
    Full,
    /// The connection is closed, or will be as soon as what waits has left.
    Closed,
    /// There was no room for it for as long as it may wait for that.
    Timeout,
    /// It is larger than all that may wait.
    TooLarge,
}

impl<M> SendError<M> {
    pub(super) fn new(kind: SendErrorKind, message: M) -> Self {
        Self { kind, message }
    }

    /// Why.
    #[must_use]
    pub fn kind(&self) -> SendErrorKind {
        self.kind
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &M {
        &self.message
    }

    /// The message.
    #[must_use]
    pub fn into_message(self) -> M {
        self.message
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SendErrorKind::Full => "the outbox has no room for the message",
            SendErrorKind::Closed => "the connection is closed",
            SendErrorKind::Timeout => "the outbox had no room for the message for as long as it may wait",
            SendErrorKind::TooLarge => "the message is larger than all that may wait in the outbox",
        })
    }
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl<M> Error for SendError<M> {}
