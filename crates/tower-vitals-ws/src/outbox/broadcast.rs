use std::{future::poll_fn, pin::pin, task::Poll};

use tokio::sync::broadcast::{
    Receiver,
    error::RecvError::{Closed, Lagged},
};

use super::OutboxSender;
use crate::WsMessage;

impl<M: WsMessage + Clone> OutboxSender<M> {
    /// Sends all that is broadcast, until the broadcast or the connection is over.
    ///
    /// What the channel threw away because this connection did not keep up was attempted and dropped (`lagged`), without bytes, since
    /// nobody knows how many there were. What does not get in is dropped, and counts, as by [`send`](Self::send).
    ///
    /// # Cancel safety
    /// What has been received and waits for room is dropped (`cancelled`).
    ///
    /// # Panics
    /// As [`send`](Self::send).
    pub async fn forward(&self, receiver: &mut Receiver<M>) {
        let mut closed = pin!(self.closed());
        loop {
            let received = {
                let mut receiving = pin!(receiver.recv());
                poll_fn(|cx| match closed.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(None),
                    Poll::Pending => receiving.as_mut().poll(cx).map(Some),
                })
                .await
            };
            match received {
                Some(Ok(message)) => {
                    // Whatever came of it is counted.
                    let _ = self.send(message).await;
                }
                Some(Err(Lagged(missed))) => self.shared.lag(missed),
                Some(Err(Closed)) | None => return,
            }
        }
    }
}
