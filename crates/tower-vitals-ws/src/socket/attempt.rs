use std::{
    pin::Pin,
    task::{Context, Poll},
};

use super::{MeteredWebSocket, Socket, facts::Facts};
use crate::{DropReason, WsMessage as _, ledger::Amount};

/// A way to a socket: it is here, or others have a part in it.
pub(super) trait Access<S: Socket> {
    fn with<R>(&mut self, run: impl FnOnce(&mut MeteredWebSocket<S>) -> R) -> R;
}

/// A message that is to be sent, from the moment that somebody wants that, and the future of its being accepted. Dropped before that, it
/// counts as cancelled.
pub(super) struct Attempt<'a, S: Socket, A: Access<S>> {
    access: &'a mut A,
    facts: Facts,
    /// None once it was accepted, or refused.
    message: Option<S::Message>,
}

impl<'a, S: Socket, A: Access<S>> Attempt<'a, S, A> {
    #[inline(always)]
    pub(super) fn new(access: &'a mut A, message: S::Message) -> Self {
        match message.data() {
            Some((_, bytes)) => Self::begin(access, Facts::of_data(bytes), message),
            None => Self::of_other(access, message),
        }
    }

    /// That of a message which is not known to be a text or bytes.
    #[cold]
    #[inline(never)]
    fn of_other(access: &'a mut A, message: S::Message) -> Self {
        Self::begin(access, Facts::of(&message), message)
    }

    #[inline(always)]
    fn begin(access: &'a mut A, facts: Facts, message: S::Message) -> Self {
        access.with(|socket| {
            socket.attempt(facts);
            socket.guard.waiting = Amount::message(facts.bytes);
        });
        Self {
            access,
            facts,
            message: Some(message),
        }
    }
}

// Nothing in it is pinned.
impl<S: Socket, A: Access<S>> Unpin for Attempt<'_, S, A> {}

impl<S: Socket, A: Access<S>> Future for Attempt<'_, S, A> {
    type Output = Result<(), <S as Socket>::Error>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { access, facts, message } = &mut *self;
        access.with(|socket| match socket.poll_ready_for(*facts, cx) {
            Poll::Ready(Ok(())) => Poll::Ready(match message.take() {
                Some(message) => socket.start(*facts, message),
                None => Ok(()),
            }),
            Poll::Ready(Err(error)) => {
                *message = None;
                Poll::Ready(Err(error))
            }
            Poll::Pending => Poll::Pending,
        })
    }
}

impl<S: Socket, A: Access<S>> Drop for Attempt<'_, S, A> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.message.is_some() {
            let bytes = self.facts.bytes;
            self.access.with(|socket| {
                socket.guard.waiting = Amount::default();
                socket.drop_attempted(bytes, DropReason::Cancelled);
            });
        }
    }
}
