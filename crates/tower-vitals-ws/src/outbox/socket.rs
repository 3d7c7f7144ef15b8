use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{Outbox, OutboxDriver, OutboxReceiver, OutboxSender, Outgoing, SendError, pump::Pump, shared::Shared, split::split};
use crate::{CloseCode, ConnectionId, MeteredWebSocket, Socket};

/// A WebSocket with an outbox: what [`MeteredWebSocket::outbox`] gives. It is received from here, and sent to by [`OutboxSender`]s.
///
/// What waits in the outbox leaves while this is polled: that is, while somebody waits for the next message. A handler that does
/// something else for long between two messages [splits](Self::split) it; one that never receives has it [driven](Self::drive); and one
/// that answers what it receives [sends](Self::send) from here, for where a sender waits for room nothing is polled.
///
/// As a stream it gives what the socket gives. When sending fails that is given as well, once, as an error. It is no sink, and so nothing for
/// `StreamExt::split`: what is sent goes through senders, of which there may be any number.
///
/// # When it is dropped
/// The connection ends, and what waits is dropped (`connection_dropped`). [`finish`](Self::finish) lets it leave first.
pub struct OutboxSocket<S: Socket> {
    pump: Pump<S>,
    sender: OutboxSender<S::Message>,
    /// How many messages were given since something could leave.
    given: u32,
    /// How many were sent from here since then.
    sent: u32,
    /// What failed while nobody could be told.
    failed: Option<<S as Socket>::Error>,
}

/// So many messages are given, or sent, while others wait to leave.
const MOST_GIVEN: u32 = 64;

impl<S: Socket> MeteredWebSocket<S>
where
    S::Message: Send + 'static,
{
    /// Puts an outbox before the socket, through which any number of tasks send without waiting for the other side: a queue with bounds, and
    /// a policy for when it is full.
    ///
    /// # Example
    /// ```
    /// use std::time::Duration;
    /// use tower_vitals_ws::{MeteredWebSocket, Outbox, Outgoing, Overflow, Socket};
    ///
    /// async fn talk<S: Socket>(socket: MeteredWebSocket<S>, price: S::Message)
    /// where
    ///     S::Message: Send + 'static,
    /// {
    ///     let (sender, mut socket) = socket.outbox(Outbox::new().overflow(Overflow::DropOldest));
    ///     let latest = Outgoing::new(price).latest("EURUSD").expires_in(Duration::from_secs(1));
    ///     if sender.send(latest).await.is_ok() {
    ///         while let Some(Ok(_)) = socket.recv().await {}
    ///     }
    /// }
    /// ```
    pub fn outbox(mut self, settings: Outbox<S::Message>) -> (OutboxSender<S::Message>, OutboxSocket<S>) {
        let shared = Arc::new(Shared::new(&settings, self.guard().endpoint()));
        let backlog = Arc::clone(&shared);
        // It has none yet: with one it is no longer this type.
        let _ = self.guard().record().outbox.set(backlog);
        let sender = OutboxSender {
            shared: Arc::clone(&shared),
            overflow: settings.overflow,
        };
        let socket = OutboxSocket {
            pump: Pump::new(self, shared, settings),
            sender: sender.clone(),
            given: 0,
            sent: 0,
            failed: None,
        };
        (sender, socket)
    }
}

impl<S: Socket> OutboxSocket<S> {
    /// The next message; none when there will be no more. Meanwhile, what waits in the outbox is sent.
    ///
    /// # Cancel safety
    /// Safe: no message is lost, in either direction.
    ///
    /// # Errors
    /// As the socket's, and what it fails with when it sends.
    pub async fn recv(&mut self) -> Option<Result<S::Message, <S as Socket>::Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Sends a message as [`OutboxSender::send`] does, and what waits before it where there is no room, or once in 64 times. What waits
    /// after the last one leaves with [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// As that of [`OutboxSender::send`].
    ///
    /// # Errors
    /// As those of [`OutboxSender::send`]. What the socket fails with is for [`recv`](Self::recv) to say.
    ///
    /// # Panics
    /// As [`OutboxSender::send`].
    pub async fn send(&mut self, message: impl Into<Outgoing<S::Message>>) -> Result<(), SendError<S::Message>> {
        let Self {
            pump,
            sender,
            sent,
            failed,
            ..
        } = self;
        *sent += 1;
        let mut is_due = *sent > MOST_GIVEN;
        let mut sending = pin!(sender.send(message));
        let result = poll_fn(|cx| {
            if std::mem::take(&mut is_due) {
                *sent = 0;
                if let Poll::Ready(Err(error)) = pump.poll_send(cx) {
                    *failed = Some(error);
                }
            }
            if let Poll::Ready(sent) = sending.as_mut().poll(cx) {
                return Poll::Ready(sent);
            }
            if let Poll::Ready(Err(error)) = pump.poll_send(cx) {
                *failed = Some(error);
            }
            // There may be room by now.
            sending.as_mut().poll(cx)
        })
        .await;
        if result.is_err() {
            // Who hears that the connection is closed lets go of it.
            poll_fn(|cx| {
                if let Poll::Ready(Err(error)) = pump.poll_send(cx) {
                    *failed = Some(error);
                }
                pump.poll_ended(cx)
            })
            .await;
        }
        result
    }

    /// Sends what waits, closes the connection with 1000 unless it is closed, and waits for the other side to agree. What comes meanwhile
    /// is counted and thrown away.
    ///
    /// A side that does not read, or never answers, is waited for without end, so put a timeout around.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it may be called again.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn finish(&mut self) -> Result<(), <S as Socket>::Error> {
        self.sender.close(CloseCode::NORMAL, "");
        while let Some(received) = self.recv().await {
            received?;
        }
        Ok(())
    }

    /// Sends what there is to send until the connection is over, for handlers that do not care what comes: it is counted and thrown away.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it ends the connection, and what waits is dropped (`connection_dropped`).
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn drive(mut self) -> Result<(), <S as Socket>::Error> {
        while let Some(received) = self.recv().await {
            received?;
        }
        Ok(())
    }

    /// Two halves: one that receives, and a future that sends and is to be spawned, or waited for beside the other. For handlers that do
    /// other things for long between two messages.
    pub fn split(self) -> (OutboxReceiver<S>, OutboxDriver<S>) {
        split(self.pump, self.sender)
    }

    /// Another sender.
    #[must_use]
    pub fn sender(&self) -> OutboxSender<S::Message> {
        self.sender.clone()
    }

    /// Names the connection, as long as it is open, in [lists](crate::WebSockets::connections) and for
    /// [kicks](crate::WebSockets::kick).
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.pump.socket.id()
    }

    /// The socket in it. What is received through it is not counted.
    pub fn get_ref(&self) -> &S {
        self.pump.socket.get_ref()
    }
}

// Nothing in it is ever pinned.
impl<S: Socket> Unpin for OutboxSocket<S> {}

impl<S: Socket> Stream for OutboxSocket<S> {
    type Item = Result<S::Message, <S as Socket>::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        this.pump.rouse();
        if this.given >= MOST_GIVEN {
            this.given = 0;
            if let Poll::Ready(Err(error)) = this.pump.poll_send(cx) {
                return Poll::Ready(Some(Err(error)));
            }
            this.pump.rouse();
        }
        let next = this.pump.poll_receive(cx);
        if next.is_ready() {
            this.given += 1;
            return next;
        }
        (this.given, this.sent) = (0, 0);
        match this.pump.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            // When nothing will be sent any more, something may still come.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: Socket> fmt::Debug for OutboxSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxSocket")
            .field("socket", &self.pump.socket)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}
