use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    thread,
};

use futures_core::Stream;

use super::{OutboxSender, pump::Pump};
use crate::{CloseCode, DropReason, Socket};

/// The half of an [`OutboxSocket`](crate::OutboxSocket) that receives.
///
/// # When it is dropped
/// The connection ends as soon as its [driver](OutboxDriver) is woken, which is at once. What waits is dropped (`connection_dropped`).
pub struct OutboxReceiver<S: Socket> {
    half: Half<S>,
    sender: OutboxSender<S::Message>,
}

/// Sends what waits in the outbox of a connection, for as long as there is one: a future to be spawned, or waited for beside something else.
///
/// While it waits it also closes the connection when an operator or the server's end wants that, whatever the handler does meanwhile.
///
/// It is ready when nothing will be sent any more: the connection is over, or was let go by the [receiver](OutboxReceiver).
///
/// # Cancel safety
/// When it is dropped before it is ready, nothing is sent any more, and what waits is dropped (`connection_dropped`). The receiver may go on.
///
/// # Errors
/// What the socket fails with when it sends.
#[must_use = "nothing is sent unless it is polled"]
pub struct OutboxDriver<S: Socket> {
    /// None once it was ready.
    half: Option<Half<S>>,
}

struct Half<S: Socket> {
    pump: Arc<Mutex<Pump<S>>>,
    /// Whether the thread unwound already when it was made, so that a panic is not its own.
    was_panicking: bool,
}

pub(super) fn split<S: Socket>(mut pump: Pump<S>, sender: OutboxSender<S::Message>) -> (OutboxReceiver<S>, OutboxDriver<S>) {
    pump.is_split = true;
    let pump = Arc::new(Mutex::new(pump));
    let half = |pump| Half {
        pump,
        was_panicking: thread::panicking(),
    };
    let driver = OutboxDriver {
        half: Some(half(Arc::clone(&pump))),
    };
    (
        OutboxReceiver {
            half: half(pump),
            sender,
        },
        driver,
    )
}

impl<S: Socket> OutboxReceiver<S> {
    /// The next message; none when there will be no more.
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    ///
    /// # Errors
    /// As the socket's.
    pub async fn recv(&mut self) -> Option<Result<S::Message, <S as Socket>::Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Has the driver send what waits and close the connection with 1000, unless it is closed, and waits for the other side to agree. What
    /// comes meanwhile is counted and thrown away. Without a driver, this closes it.
    ///
    /// A side that does not read, or never answers, is waited for without end, so put a timeout around.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it may be called again.
    ///
    /// # Errors
    /// As the socket's.
    pub async fn finish(&mut self) -> Result<(), <S as Socket>::Error> {
        self.sender.close(CloseCode::NORMAL, "");
        while let Some(received) = poll_fn(|cx| self.poll_finish(cx)).await {
            received?;
        }
        Ok(())
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Option<<Self as Stream>::Item>> {
        self.half.lock().poll_close_undriven(cx);
        Pin::new(self).poll_next(cx)
    }

    /// Another sender.
    #[must_use]
    pub fn sender(&self) -> OutboxSender<S::Message> {
        self.sender.clone()
    }
}

impl<S: Socket> Half<S> {
    fn lock(&self) -> MutexGuard<'_, Pump<S>> {
        // A panic in one half is for its task alone.
        self.pump.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Socket> Drop for Half<S> {
    fn drop(&mut self) {
        if thread::panicking() && !self.was_panicking {
            self.lock().socket.guard().ending.see_panic();
        }
    }
}

impl<S: Socket> Stream for OutboxReceiver<S> {
    type Item = Result<S::Message, <S as Socket>::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut pump = self.half.lock();
        let next = pump.poll_receive(cx);
        match (&next, &mut pump.reader) {
            (Poll::Pending, Some(reader)) => reader.clone_from(cx.waker()),
            (Poll::Pending, reader) => *reader = Some(cx.waker().clone()),
            _ => {}
        }
        next
    }
}

impl<S: Socket> Drop for OutboxReceiver<S> {
    fn drop(&mut self) {
        self.half.lock().is_let_go = true;
        self.sender.shared.end(DropReason::ConnectionDropped);
    }
}

impl<S: Socket> Future for OutboxDriver<S> {
    type Output = Result<(), <S as Socket>::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(half) = &self.half else {
            return Poll::Ready(Ok(()));
        };
        let mut pump = half.lock();
        let sent = if pump.is_let_go {
            Poll::Ready(Ok(()))
        } else {
            pump.poll_send(cx)
        };
        drop(pump);
        if sent.is_ready() {
            // It may be kept after it was ready, and the connection should not.
            self.half = None;
        }
        sent
    }
}

impl<S: Socket> Drop for OutboxDriver<S> {
    fn drop(&mut self) {
        if let Some(half) = &self.half {
            let mut pump = half.lock();
            pump.is_undriven = true;
            let (shared, reader) = (Arc::clone(&pump.shared), pump.reader.take());
            drop(pump);
            if let Some(reader) = reader {
                reader.wake();
            }
            shared.close(DropReason::ConnectionDropped);
        }
    }
}

impl<S: Socket> fmt::Debug for OutboxReceiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxReceiver")
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}

impl<S: Socket> fmt::Debug for OutboxDriver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxDriver").finish_non_exhaustive()
    }
}
