use std::{fmt, future::poll_fn, pin::Pin};

use futures_core::Stream;
use futures_sink::Sink;
use http::Version;

use super::{
    Socket,
    attempt::{Access, Attempt},
    split::{MeteredReceiver, MeteredSender, split},
    tending::Tending,
};
use crate::{ConnectionId, Endpoint, capacity::Permit, connection::Guard};

/// A WebSocket whose messages are counted: what [`Endpoint::meter`](crate::Endpoint::meter) gives.
///
/// It behaves as the socket in it does: what it takes and gives, waits for and fails with is passed on as it is, until this side closes it
/// by itself: for its [limits](Self::limits), or because an operator or a server that stops wants that.
///
/// # What is counted
/// - **received**: each message that the application is given, and pongs to pings of a heartbeat. Pongs that the library sends by itself
///   are seen by nobody.
/// - **attempted**: each message that [`send`](Self::send) or [`feed`](Self::feed) is called with, also if it is never accepted. Through
///   the traits `Sink` and `SinkExt` it is each that `start_send` is called with: what `SinkExt::send` holds while it waits, and is lost
///   with it, never gets here. Pings of a heartbeat, and what closes the connection for a reason of this side, are attempted too.
/// - **flushed**: what had been accepted when the socket said that all has been flushed. The kernel has it then, the other side perhaps not.
/// - **dropped**: what was refused, and what was accepted and not known to have left when the connection failed or was dropped. Some of
///   that may have left.
/// - **buffered**: the rest.
///
/// The closing message that the library sends when the socket is closed by `poll_close` is none of these.
///
/// # Cancel safety
/// As the socket's. A `send` that is dropped before its message was accepted counts it as dropped: `cancelled`.
///
/// # Cost
/// A few plain loads and stores for each message, no lock, no clock, no allocation. When there is nothing more to read, a lock that is
/// mostly free and one look at the clock.
pub struct MeteredWebSocket<S> {
    // Before the guard: what it does when it is dropped belongs to the connection.
    pub(super) inner: S,
    pub(super) guard: Guard,
    pub(super) tending: Tending,
}

impl<S: Socket> MeteredWebSocket<S> {
    pub(crate) fn new(inner: S, endpoint: &Endpoint, version: Version) -> Self {
        Self {
            inner,
            guard: Guard::new(endpoint, version),
            tending: Tending::default(),
        }
    }

    /// Has it keep a place until its end.
    #[cfg_attr(not(feature = "axum08"), allow(dead_code, reason = "only the extractor has places"))]
    pub(crate) fn keep(mut self, permit: Permit) -> Self {
        self.guard.keep(permit);
        self
    }

    /// The next message; none when there will be no more.
    ///
    /// # Cancel safety
    /// As the socket's. With those that this crate has features for, no message is lost.
    ///
    /// # Errors
    /// As the socket's.
    pub async fn recv(&mut self) -> Option<Result<S::Message, <S as Socket>::Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Sends a message, and waits until it has left.
    ///
    /// # Cancel safety
    /// Dropped before the message was accepted, it drops the message (`cancelled`). Dropped after that, the message leaves with the next
    /// flush, or earlier.
    ///
    /// # Errors
    /// As the socket's.
    pub async fn send(&mut self, message: S::Message) -> Result<(), <S as Socket>::Error> {
        self.feed(message).await?;
        poll_fn(|cx| Pin::new(&mut *self).poll_flush(cx)).await
    }

    /// Has a message accepted for sending. It leaves with the next flush, or earlier.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it drops the message (`cancelled`).
    ///
    /// # Errors
    /// As the socket's.
    pub fn feed(&mut self, message: S::Message) -> impl Future<Output = Result<(), <S as Socket>::Error>> {
        Attempt::new(self, message)
    }

    /// Closes the connection, unless it is closed, and waits for the other side to agree. What comes meanwhile is counted and thrown away.
    ///
    /// With tokio-websockets, what comes before the closing message has left is thrown away by the library, uncounted.
    ///
    /// After a closing message came, this sends the reply to it, without which the other side does not see a clean end. A side that never
    /// answers is waited for without end, so put a timeout around.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it may be called again.
    ///
    /// # Errors
    /// As the socket's.
    pub async fn finish(&mut self) -> Result<(), <S as Socket>::Error> {
        poll_fn(|cx| Pin::new(&mut *self).poll_close(cx)).await?;
        while let Some(received) = self.recv().await {
            received?;
        }
        Ok(())
    }

    /// Two halves, for two tasks. They are one connection, which ends when both are dropped.
    ///
    /// Here and not with `StreamExt::split`, whose sender keeps a message back that nobody can count.
    pub fn split(self) -> (MeteredSender<S>, MeteredReceiver<S>) {
        split(self)
    }
}

impl<S> MeteredWebSocket<S> {
    /// Names the connection, as long as it is open, in [lists](crate::WebSockets::connections) and for
    /// [kicks](crate::WebSockets::kick).
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.guard.id()
    }

    /// The socket in it. What is sent and received through it is not counted.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The socket in it. What is sent and received through it is not counted.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    pub(crate) fn guard(&mut self) -> &mut Guard {
        &mut self.guard
    }
}

impl<S: Socket> Access<S> for MeteredWebSocket<S> {
    #[inline(always)]
    fn with<R>(&mut self, run: impl FnOnce(&mut MeteredWebSocket<S>) -> R) -> R {
        run(self)
    }
}

impl<S> fmt::Debug for MeteredWebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeteredWebSocket")
            .field("endpoint", &self.guard.endpoint().name())
            .finish_non_exhaustive()
    }
}
