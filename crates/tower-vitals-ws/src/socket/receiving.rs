//! How messages come, and are counted.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::{FusedStream, Stream};

use super::{MeteredWebSocket, Socket, tending::READS};
use crate::{MessageKind, WsError, WsMessage, connection::Side};

/// What a read came to.
type Received<S> = Poll<Option<<S as Stream>::Item>>;

impl<S: Socket> Stream for MeteredWebSocket<S> {
    type Item = Result<S::Message, <S as Socket>::Error>;

    // Into whoever reads: to pass a message on takes longer than to count it. What is rare is a call, so it stays small.
    #[inline(always)]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut hidden = 0;
        loop {
            if this.must_tend() {
                if this.tend(Side::Read, cx) {
                    return Poll::Ready(None);
                }
                if this.must_not_read() {
                    return Poll::Pending;
                }
            }
            let next = Pin::new(&mut this.inner).poll_next(cx);
            let data = match &next {
                Poll::Ready(Some(Ok(message))) => message.data(),
                _ => None,
            };
            if let Some((kind, bytes)) = data {
                this.count_received(kind, bytes);
                return next;
            }
            if let Some(next) = this.see_other(next, cx) {
                return next;
            }
            hidden += 1;
            if hidden == READS {
                // There may be no end of them, and others have to have their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<S: Socket + FusedStream> FusedStream for MeteredWebSocket<S> {
    fn is_terminated(&self) -> bool {
        self.tending.is_over || self.inner.is_terminated()
    }
}

impl<S: Socket> MeteredWebSocket<S> {
    /// Notes that a message came.
    #[inline(always)]
    fn count_received(&mut self, kind: MessageKind, bytes: usize) {
        self.guard.record().received.count(kind, bytes);
        // It does not overflow: before the next one, it is seen that there were many.
        self.tending.reads += 1;
    }

    /// Notes what came of a read that is not known to be a text or bytes. None when it is not for the application, which is given the next.
    #[cold]
    #[inline(never)]
    fn see_other(&mut self, next: Received<S>, cx: &mut Context<'_>) -> Option<Received<S>> {
        match &next {
            Poll::Ready(Some(Ok(message))) if self.is_hidden(message) => return None,
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) => self.guard.ending.see_failed_read(error.failure()),
            Poll::Ready(None) => self.guard.ending.see_end(),
            Poll::Pending if self.tend(Side::Read, cx) => return Some(Poll::Ready(None)),
            Poll::Pending => {}
        }
        Some(next)
    }

    /// Notes that a message came, and whether it is none for the application.
    fn is_hidden(&mut self, message: &S::Message) -> bool {
        let (kind, bytes) = (message.kind(), message.payload_len());
        match kind {
            MessageKind::Text | MessageKind::Binary => {}
            MessageKind::Close => self.guard.ending.see_their_close(message.close_code()),
            MessageKind::Ping if self.see_ping() => return true,
            MessageKind::Ping => {}
            MessageKind::Pong if self.see_pong(message.payload()) => {
                self.guard.record().received.count(kind, bytes);
                return true;
            }
            MessageKind::Pong => {}
        }
        self.count_received(kind, bytes);
        false
    }
}
