use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use super::{SendError, SendErrorKind, shared::Shared};
use crate::{DropReason, WsMessage};

/// A sender that waits for room. Dropped while it waits, its message counts as cancelled.
pub(super) struct Turn<'a, M: WsMessage> {
    shared: &'a Shared<M>,
    /// None once it is its turn, or it was told that there will be none.
    ticket: Option<u64>,
}

impl<'a, M: WsMessage> Turn<'a, M> {
    pub(super) fn new(shared: &'a Shared<M>, ticket: u64) -> Self {
        let ticket = Some(ticket);
        Self { shared, ticket }
    }

    /// Waits for no longer than this.
    pub(super) async fn within(mut self, timeout: Duration) -> Result<(), SendError<M>> {
        if timeout == Duration::MAX {
            return poll_fn(|cx| self.poll(cx)).await;
        }
        let mut sleep = pin!(tokio::time::sleep(timeout));
        poll_fn(|cx| match self.poll(cx) {
            Poll::Pending => sleep.as_mut().poll(cx).map(|()| self.expire()),
            ready @ Poll::Ready(_) => ready,
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<M>>> {
        let Some(ticket) = self.ticket else {
            return Poll::Ready(Ok(()));
        };
        match self.shared.turn(ticket, cx.waker()) {
            Some(turn) => {
                self.ticket = None;
                Poll::Ready(turn)
            }
            None => Poll::Pending,
        }
    }

    /// It took too long, unless the message went in just now.
    fn expire(&mut self) -> Result<(), SendError<M>> {
        let message = self
            .ticket
            .take()
            .and_then(|ticket| self.shared.give_up(ticket, DropReason::SendTimeout));
        message.map_or(Ok(()), |message| Err(SendError::new(SendErrorKind::Timeout, message)))
    }
}

impl<M: WsMessage> Drop for Turn<'_, M> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.give_up(ticket, DropReason::Cancelled);
        }
    }
}
