use std::task::{Context, Poll, ready};

use super::{MeteredWebSocket, Socket, facts::Facts};
use crate::DropReason;

/// A way to a socket: it is here, or others have a part in it.
pub(super) trait Access<S: Socket> {
    fn with<R>(&mut self, run: impl FnOnce(&mut MeteredWebSocket<S>) -> R) -> R;
}

/// A message that is to be sent, from the moment that somebody wants that. Dropped before it was accepted, it counts as cancelled.
pub(super) struct Attempt<'a, S: Socket, A: Access<S>> {
    access: &'a mut A,
    facts: Facts,
    /// None once it was accepted, or refused.
    message: Option<S::Message>,
}

impl<'a, S: Socket, A: Access<S>> Attempt<'a, S, A> {
    pub(super) fn new(access: &'a mut A, message: S::Message) -> Self {
        let facts = Facts::of(&message);
        access.with(|socket| socket.attempt(facts));
        Self {
            access,
            facts,
            message: Some(message),
        }
    }

    /// Has the message accepted.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), <S as Socket>::Error>> {
        let Self { access, facts, message } = self;
        access.with(|socket| {
            let ready = ready!(socket.poll_ready_for(*facts, cx));
            let message = message.take();
            Poll::Ready(ready.and_then(|()| match message {
                Some(message) => socket.start(*facts, message),
                None => Ok(()),
            }))
        })
    }
}

impl<S: Socket, A: Access<S>> Drop for Attempt<'_, S, A> {
    fn drop(&mut self) {
        if self.message.is_some() {
            let facts = self.facts;
            self.access.with(|socket| socket.drop_attempted(facts, DropReason::Cancelled));
        }
    }
}
