//! How messages are sent, and counted.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_sink::Sink;

use super::{Facts, MeteredWebSocket, Socket};
use crate::{DropReason, Failure, MessageKind, WsError, WsMessage, connection::Side, ledger::Amount};

impl<S: Socket> Sink<S::Message> for MeteredWebSocket<S> {
    type Error = <S as Socket>::Error;

    #[inline(always)]
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self.poll_room(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => {
                self.guard.see_failed_write(error.failure());
                Poll::Ready(Err(error))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    #[inline(always)]
    fn start_send(mut self: Pin<&mut Self>, message: S::Message) -> Result<(), Self::Error> {
        let Some((_, bytes)) = message.data() else {
            return self.start_other(message);
        };
        let facts = Facts::of_data(bytes);
        self.attempt(facts);
        self.start(facts, message)
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.see_flush(&flushed);
        if flushed.is_pending() { self.wait(cx) } else { flushed }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.is_closing() {
            // With our own code first.
            ready!(self.poll_closed(cx));
        }
        if !self.guard.is_broken() {
            // The library says so to the other side.
            self.guard.ending.see_own_close(None);
        }
        let closed = Pin::new(&mut self.inner).poll_close(cx);
        self.see_flush(&closed);
        if closed.is_pending() { self.wait(cx) } else { closed }
    }
}

impl<S: Socket> MeteredWebSocket<S> {
    /// Notes whether sending waits, and what failed.
    #[inline]
    pub(super) fn see_ready(&mut self, ready: &Poll<Result<(), <S as Socket>::Error>>) {
        if let Poll::Ready(Err(error)) = ready {
            self.guard.see_failed_write(error.failure());
        }
    }

    /// Notes what came of a flush.
    #[inline]
    pub(super) fn see_flush(&mut self, flushed: &Poll<Result<(), <S as Socket>::Error>>) {
        match flushed {
            Poll::Ready(Ok(())) => self.guard.see_flushed(),
            Poll::Ready(Err(error)) => self.guard.see_failed_write(error.failure()),
            Poll::Pending => {}
        }
        self.see_stall(flushed.is_pending());
    }

    /// Notes that a message is to be sent.
    #[inline(always)]
    pub(crate) fn attempt(&mut self, facts: Facts) {
        self.guard.record().sent.attempt(facts.bytes);
        self.tending.has_sent = true;
    }

    /// Notes that an attempted message will not be sent.
    pub(super) fn drop_attempted(&mut self, bytes: usize, reason: DropReason) {
        self.guard.record().sent.drop_one(reason, bytes);
    }

    /// Waits until an attempted message can be sent.
    #[inline(always)]
    pub(super) fn poll_ready_for(&mut self, facts: Facts, cx: &mut Context<'_>) -> Poll<Result<(), <S as Socket>::Error>> {
        let ready = ready!(self.poll_room(cx));
        self.guard.waiting = Amount::default();
        Poll::Ready(match ready {
            Ok(()) => Ok(()),
            Err(error) => Err(self.see_refused(facts.bytes, facts.kind, error)),
        })
    }

    // Whoever calls what is rare gives what there is away, by value: what somebody else may look at has to be in memory, also when it is not
    // rare.

    /// An attempted message cannot be sent.
    #[cold]
    #[inline(never)]
    fn see_refused(&mut self, bytes: usize, kind: MessageKind, error: <S as Socket>::Error) -> <S as Socket>::Error {
        let failure = error.failure();
        // First, for it is not among what was accepted.
        self.drop_attempted(bytes, DropReason::of(failure, kind));
        self.guard.see_failed_write(failure);
        error
    }

    /// Waits until the socket has room for a message, or is over.
    #[inline(always)]
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), <S as Socket>::Error>> {
        if self.is_closing() {
            ready!(self.poll_closed(cx));
            return Poll::Ready(Err(<S as Socket>::Error::closed()));
        }
        // Written out, because to pass a result on as it is moves all of it.
        match Pin::new(&mut self.inner).poll_ready(cx) {
            Poll::Ready(Ok(())) => {
                self.see_room(false);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                self.see_room(false);
                Poll::Ready(Err(error))
            }
            Poll::Pending => self.wait_for_room(cx),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_for_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), <S as Socket>::Error>> {
        self.see_room(true);
        self.wait(cx)
    }

    /// Does what else there is to do when sending has to wait, and does not wait any more when the connection is over.
    #[cold]
    #[inline(never)]
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), <S as Socket>::Error>> {
        self.see_stall(true);
        if self.tend(Side::Write, cx) {
            return Poll::Ready(Err(<S as Socket>::Error::closed()));
        }
        Poll::Pending
    }

    /// Sends a message that was attempted.
    #[inline(always)]
    pub(crate) fn start(&mut self, facts: Facts, message: S::Message) -> Result<(), <S as Socket>::Error> {
        match Pin::new(&mut self.inner).start_send(message) {
            Ok(()) => {
                if !self.guard.is_sending() || facts.kind == MessageKind::Close {
                    self.see_accepted(facts.bytes, facts.kind, facts.code);
                }
                Ok(())
            }
            Err(error) => Err(self.see_not_accepted(facts.bytes, facts.kind, error)),
        }
    }

    /// A message was accepted that is not just one more before the next flush.
    #[inline(never)]
    fn see_accepted(&mut self, bytes: usize, kind: MessageKind, code: Option<u16>) {
        if self.guard.is_broken() {
            // After the connection broke, the library still accepts what will never leave.
            self.drop_attempted(bytes, DropReason::Closed);
            return;
        }
        self.guard.see_accepted();
        if kind == MessageKind::Close {
            self.guard.ending.see_own_close(code);
        }
    }

    /// An attempted message was not accepted.
    #[cold]
    #[inline(never)]
    fn see_not_accepted(&mut self, bytes: usize, kind: MessageKind, error: <S as Socket>::Error) -> <S as Socket>::Error {
        let failure = error.failure();
        self.drop_attempted(bytes, DropReason::of(failure, kind));
        if failure != Failure::Finished {
            self.guard.see_failed_write(failure);
        }
        error
    }

    /// Sends a message that is not known to be a text or bytes.
    #[cold]
    #[inline(never)]
    fn start_other(&mut self, message: S::Message) -> Result<(), <S as Socket>::Error> {
        let facts = Facts::of(&message);
        self.attempt(facts);
        self.start(facts, message)
    }

    /// Notes whether there is room for a message. Libraries make some by a flush of all that they have.
    #[inline]
    pub(super) fn see_room(&mut self, is_pending: bool) {
        if self.tending.has_no_room != is_pending {
            self.tending.has_no_room = is_pending;
            self.see_stall(is_pending);
        }
    }

    /// Notes since when sending waits.
    #[inline]
    pub(super) fn see_stall(&mut self, is_stalled: bool) {
        if self.tending.is_stalled != is_stalled {
            self.note_stall(is_stalled);
        }
    }

    #[cold]
    fn note_stall(&mut self, is_stalled: bool) {
        self.tending.is_stalled = is_stalled;
        let endpoint = self.guard.endpoint();
        let since = is_stalled.then(|| endpoint.now());
        self.guard.record().signs.see_stall(since);
    }
}
