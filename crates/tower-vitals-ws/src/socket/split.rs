use std::{
    error::Error,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    thread,
};

use futures_core::Stream;
use futures_sink::Sink;

use super::{
    MeteredWebSocket, Socket,
    attempt::{Access, Attempt},
};

/// The half of a [`MeteredWebSocket`] that sends. The connection ends when both halves are dropped.
pub struct MeteredSender<S: Socket> {
    half: Half<S>,
}

/// The half of a [`MeteredWebSocket`] that receives. The connection ends when both halves are dropped.
pub struct MeteredReceiver<S: Socket> {
    half: Half<S>,
}

/// Two halves are not of the same socket.
pub struct ReuniteError<S: Socket> {
    /// The half that sends.
    pub sender: MeteredSender<S>,
    /// The half that receives.
    pub receiver: MeteredReceiver<S>,
}

/// A part in a socket.
struct Half<S: Socket> {
    socket: Arc<Mutex<MeteredWebSocket<S>>>,
    /// Whether the thread unwound already when it was made, so that a panic is not its own.
    was_panicking: bool,
}

pub(super) fn split<S: Socket>(socket: MeteredWebSocket<S>) -> (MeteredSender<S>, MeteredReceiver<S>) {
    let socket = Arc::new(Mutex::new(socket));
    let half = |socket| Half {
        socket,
        was_panicking: thread::panicking(),
    };
    let sender = MeteredSender {
        half: half(Arc::clone(&socket)),
    };
    (sender, MeteredReceiver { half: half(socket) })
}

impl<S: Socket> MeteredSender<S> {
    /// Sends a message, and waits until it has left.
    ///
    /// # Cancel safety
    /// As [`MeteredWebSocket::send`].
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
    /// As [`MeteredWebSocket::feed`].
    ///
    /// # Errors
    /// As the socket's.
    pub fn feed(&mut self, message: S::Message) -> impl Future<Output = Result<(), <S as Socket>::Error>> {
        Attempt::new(&mut self.half, message)
    }

    /// The whole socket again.
    ///
    /// # Errors
    /// When the other half is of another socket.
    pub fn reunite(self, receiver: MeteredReceiver<S>) -> Result<MeteredWebSocket<S>, ReuniteError<S>> {
        if !Arc::ptr_eq(&self.half.socket, &receiver.half.socket) {
            return Err(ReuniteError { sender: self, receiver });
        }
        let socket = Arc::clone(&self.half.socket);
        drop((self, receiver));
        match Arc::try_unwrap(socket) {
            Ok(socket) => Ok(socket.into_inner().unwrap_or_else(PoisonError::into_inner)),
            Err(_) => unreachable!("the halves were all that had it"),
        }
    }
}

impl<S: Socket> MeteredReceiver<S> {
    /// The next message; none when there will be no more.
    ///
    /// # Cancel safety
    /// As [`MeteredWebSocket::recv`].
    ///
    /// # Errors
    /// As the socket's.
    pub async fn recv(&mut self) -> Option<Result<S::Message, <S as Socket>::Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The whole socket again.
    ///
    /// # Errors
    /// When the other half is of another socket.
    pub fn reunite(self, sender: MeteredSender<S>) -> Result<MeteredWebSocket<S>, ReuniteError<S>> {
        sender.reunite(self)
    }
}

impl<S: Socket> Half<S> {
    fn lock(&self) -> MutexGuard<'_, MeteredWebSocket<S>> {
        // A panic in one half is for its task alone.
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Socket> Access<S> for Half<S> {
    fn with<R>(&mut self, run: impl FnOnce(&mut MeteredWebSocket<S>) -> R) -> R {
        run(&mut self.lock())
    }
}

impl<S: Socket> Drop for Half<S> {
    fn drop(&mut self) {
        if thread::panicking() && !self.was_panicking {
            self.lock().guard().ending.see_panic();
        }
    }
}

impl<S: Socket> Stream for MeteredReceiver<S> {
    type Item = Result<S::Message, <S as Socket>::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.half.lock()).poll_next(cx)
    }
}

impl<S: Socket> Sink<S::Message> for MeteredSender<S> {
    type Error = <S as Socket>::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut *self.half.lock()).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: S::Message) -> Result<(), Self::Error> {
        Pin::new(&mut *self.half.lock()).start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut *self.half.lock()).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut *self.half.lock()).poll_close(cx)
    }
}

impl<S: Socket> fmt::Debug for MeteredSender<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeteredSender").finish_non_exhaustive()
    }
}

impl<S: Socket> fmt::Debug for MeteredReceiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeteredReceiver").finish_non_exhaustive()
    }
}

impl<S: Socket> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

impl<S: Socket> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are of two sockets")
    }
}

impl<S: Socket> Error for ReuniteError<S> {}
