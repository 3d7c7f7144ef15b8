use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use http::Version;

use super::{
    attempt::{Access, Attempt},
    facts::Facts,
    split::{MeteredReceiver, MeteredSender, split},
};
use crate::{DropReason, Endpoint, Failure, MessageKind, WsError, WsMessage, connection::Guard};

/// A WebSocket of any library: a stream and a sink of messages. Whatever is both, with messages and errors that tell about themselves, is
/// one.
pub trait Socket:
    Stream<Item = Result<Self::Message, <Self as Socket>::Error>> + Sink<Self::Message, Error = <Self as Socket>::Error> + Unpin
{
    /// Its messages.
    type Message: WsMessage;

    /// Its errors.
    type Error: WsError;
}

impl<S, M, E> Socket for S
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: WsMessage,
    E: WsError,
{
    type Message = M;
    type Error = E;
}

/// A WebSocket whose messages are counted: what [`Endpoint::meter`](crate::Endpoint::meter) gives.
///
/// It behaves as the socket in it does: what it takes and gives, waits for and fails with is passed on as it is.
///
/// # What is counted
/// - **received**: each message that the application is given. Pongs that the library sends by itself are seen by nobody.
/// - **attempted**: each message that [`send`](Self::send) or [`feed`](Self::feed) is called with, also if it is never accepted. Through
///   the traits `Sink` and `SinkExt` it is each that `start_send` is called with: what `SinkExt::send` holds while it waits, and is lost
///   with it, never gets here.
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
/// A few plain loads and stores for each message, no lock, no clock, no allocation.
pub struct MeteredWebSocket<S> {
    // Before the guard: what it does when it is dropped belongs to the connection.
    inner: S,
    guard: Guard,
}

impl<S: Socket> MeteredWebSocket<S> {
    pub(crate) fn new(inner: S, endpoint: &Endpoint, version: Version) -> Self {
        Self {
            inner,
            guard: Guard::new(endpoint, version),
        }
    }

    /// The next message; none when there will be no more.
    ///
    /// # Errors
    /// As the socket's.
    pub async fn recv(&mut self) -> Option<Result<S::Message, <S as Socket>::Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Sends a message, and waits until it has left.
    ///
    /// # Errors
    /// As the socket's.
    pub async fn send(&mut self, message: S::Message) -> Result<(), <S as Socket>::Error> {
        self.feed(message).await?;
        poll_fn(|cx| Pin::new(&mut *self).poll_flush(cx)).await
    }

    /// Has a message accepted for sending. It leaves with the next flush, or earlier.
    ///
    /// # Errors
    /// As the socket's.
    pub async fn feed(&mut self, message: S::Message) -> Result<(), <S as Socket>::Error> {
        let mut attempt = Attempt::new(self, message);
        poll_fn(|cx| attempt.poll(cx)).await
    }

    /// Closes the connection, unless it is closed, and waits for the other side to agree. What comes meanwhile is counted and thrown away.
    ///
    /// With tokio-websockets, what comes before the closing message has left is thrown away by the library, uncounted.
    ///
    /// After a closing message came, this sends the reply to it, without which the other side does not see a clean end. A side that never
    /// answers is waited for without end, so put a timeout around.
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

    /// Notes what came of a flush.
    #[inline]
    fn see_flush(&mut self, flushed: &Poll<Result<(), <S as Socket>::Error>>) {
        match flushed {
            Poll::Ready(Ok(())) => self.guard.see_flushed(),
            Poll::Ready(Err(error)) => self.guard.see_failed_write(error.failure()),
            Poll::Pending => {}
        }
    }

    /// Notes that a message is to be sent.
    #[inline]
    pub(super) fn attempt(&mut self, facts: Facts) {
        self.guard.record().sent.attempt(facts.bytes);
    }

    /// Notes that an attempted message will not be sent.
    pub(super) fn drop_attempted(&mut self, facts: Facts, reason: DropReason) {
        self.guard.record().sent.drop_one(reason, facts.bytes);
    }

    /// Waits until an attempted message can be sent.
    pub(super) fn poll_ready_for(&mut self, facts: Facts, cx: &mut Context<'_>) -> Poll<Result<(), <S as Socket>::Error>> {
        let ready = ready!(Pin::new(&mut self.inner).poll_ready(cx));
        if let Err(error) = &ready {
            let failure = error.failure();
            // First, for it is not among what was accepted.
            self.drop_attempted(facts, facts.dropped_by(failure));
            self.guard.see_failed_write(failure);
        }
        Poll::Ready(ready)
    }

    /// Sends a message that was attempted.
    #[inline]
    pub(super) fn start(&mut self, facts: Facts, message: S::Message) -> Result<(), <S as Socket>::Error> {
        let sent = Pin::new(&mut self.inner).start_send(message);
        match &sent {
            // After the connection broke, the library still accepts what will never leave.
            Ok(()) if self.guard.is_broken() => self.drop_attempted(facts, DropReason::Closed),
            Ok(()) if facts.kind == MessageKind::Close => self.guard.ending.see_own_close(facts.code),
            Ok(()) => {}
            Err(error) => {
                let failure = error.failure();
                self.drop_attempted(facts, facts.dropped_by(failure));
                if failure != Failure::Finished {
                    self.guard.see_failed_write(failure);
                }
            }
        }
        sent
    }
}

impl<S> MeteredWebSocket<S> {
    /// The socket in it. What is sent and received through it is not counted.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The socket in it. What is sent and received through it is not counted.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    pub(super) fn guard(&mut self) -> &mut Guard {
        &mut self.guard
    }
}

impl<S: Socket> Access<S> for MeteredWebSocket<S> {
    fn with<R>(&mut self, run: impl FnOnce(&mut MeteredWebSocket<S>) -> R) -> R {
        run(self)
    }
}

impl<S: Socket> Stream for MeteredWebSocket<S> {
    type Item = Result<S::Message, <S as Socket>::Error>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Looked at where it is, since to move messages and errors takes longer than to count them; so in all polls.
        let next = Pin::new(&mut self.inner).poll_next(cx);
        match &next {
            Poll::Ready(Some(Ok(message))) => {
                let (kind, bytes) = (message.kind(), message.payload_len());
                self.guard.record().received.count(kind, bytes);
                if kind == MessageKind::Close {
                    self.guard.ending.see_their_close(message.close_code());
                }
            }
            Poll::Ready(Some(Err(error))) => self.guard.ending.see_failed_read(error.failure()),
            Poll::Ready(None) => self.guard.ending.see_end(),
            Poll::Pending => {}
        }
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<S: Socket + FusedStream> FusedStream for MeteredWebSocket<S> {
    fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }
}

impl<S: Socket> Sink<S::Message> for MeteredWebSocket<S> {
    type Error = <S as Socket>::Error;

    #[inline]
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let ready = Pin::new(&mut self.inner).poll_ready(cx);
        if let Poll::Ready(Err(error)) = &ready {
            self.guard.see_failed_write(error.failure());
        }
        ready
    }

    #[inline]
    fn start_send(mut self: Pin<&mut Self>, message: S::Message) -> Result<(), Self::Error> {
        let facts = Facts::of(&message);
        self.attempt(facts);
        self.start(facts, message)
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.see_flush(&flushed);
        flushed
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if !self.guard.is_broken() {
            // The library says so to the other side.
            self.guard.ending.see_own_close(None);
        }
        let closed = Pin::new(&mut self.inner).poll_close(cx);
        self.see_flush(&closed);
        closed
    }
}

impl<S> fmt::Debug for MeteredWebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeteredWebSocket")
            .field("endpoint", &self.guard.endpoint().name())
            .finish_non_exhaustive()
    }
}
