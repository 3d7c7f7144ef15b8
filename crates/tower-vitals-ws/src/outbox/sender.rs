use std::{fmt, sync::Arc};

use super::{Outgoing, Overflow, SendError, queue::Mode, shared::Shared, turn::Turn};
use crate::{CloseCode, WsMessage, close_code::fitting};

/// Sends through the outbox of a connection, from any task. Clones send through the same.
///
/// Each message that it is called with is attempted, and counts as such, also when it is refused and given back. Senders do not keep a
/// connection open; what is sent when it is over counts as `closed`.
///
/// # Cost
/// A lock that nobody holds for long, one reading of the clock, and no allocation but the queue's own growth.
pub struct OutboxSender<M> {
    pub(super) shared: Arc<Shared<M>>,
    pub(super) overflow: Overflow,
}

impl<M: WsMessage> OutboxSender<M> {
    /// Sends a message. What happens when there is no room for it is for the [`Overflow`] to say; to wait is what it mostly does.
    ///
    /// That it is sent means that it waits in the outbox. It leaves when the [socket](crate::OutboxSocket) is polled. So where the task that
    /// has the socket may have to wait for room, it sends by [the socket](crate::OutboxSocket::send).
    ///
    /// It takes a message as the library has it, such as axum's `Message::text("hello")`, or an [`Outgoing`] with more to say of one. So
    /// `"hello".into()` is not enough to tell which message that is.
    ///
    /// # Cancel safety
    /// What has no room yet when this is dropped is dropped (`cancelled`), and nobody else loses their turn. What has been sent stays sent.
    ///
    /// # Errors
    /// With the message, when it does not get in: when it is larger than all that may wait, the connection is closed, there is no room and
    /// the policy is not to wait, or there was none for as long as the policy is to wait. Also when more than 64 pings and pongs wait.
    ///
    /// # Panics
    /// Where it has to wait with a timeout, outside of a runtime of Tokio with timers.
    pub async fn send(&self, message: impl Into<Outgoing<M>>) -> Result<(), SendError<M>> {
        match (self.shared.push(message.into(), Mode::Wait)?, self.overflow) {
            (Some(ticket), Overflow::Block { timeout }) => Turn::new(&self.shared, ticket).within(timeout).await,
            _ => Ok(()),
        }
    }

    /// Sends a message if there is room for it, or the policy makes some.
    ///
    /// # Errors
    /// With the message, when it does not get in: when it is larger than all that may wait, the connection is closed, or there is no room,
    /// or others wait for it.
    pub fn try_send(&self, message: impl Into<Outgoing<M>>) -> Result<(), SendError<M>> {
        self.shared.push(message.into(), Mode::Try).map(drop)
    }

    /// Closes the connection once all that was sent before has left. What is sent from now on counts as `closed`.
    ///
    /// Of the reason as much is told as fits, which is 123 bytes. False when it was closed or closing already.
    #[allow(clippy::must_use_candidate, reason = "that it is closed is what matters")]
    pub fn close(&self, code: CloseCode, reason: &str) -> bool {
        self.try_send(M::close(code, fitting(reason))).is_ok()
    }

    /// Whether nothing more is taken: the connection is over, or closes once what waits has left.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Waits until nothing more is taken.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn closed(&self) {
        self.shared.closed().await;
    }

    /// So many messages wait, those included that wait for room.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it may not be so any more when this returns")]
    pub fn len(&self) -> usize {
        usize::try_from(self.shared.queued().messages).unwrap_or(usize::MAX)
    }
}

impl<M> Clone for OutboxSender<M> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            overflow: self.overflow,
        }
    }
}

impl<M> fmt::Debug for OutboxSender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queued = self.shared.queued();
        f.debug_struct("OutboxSender")
            .field("endpoint", &self.shared.endpoint().name())
            .field("messages", &queued.messages)
            .field("bytes", &queued.bytes)
            .finish_non_exhaustive()
    }
}
