//! A connection in memory.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Messages that come together.
pub(super) const WINDOW: u32 = 32;

/// Bytes of the payload of each.
pub(super) const PAYLOAD: usize = 32;

/// The server's side of a connection: some windows of binary messages come, each at once, with a wait before it, and what is written
/// is gone.
#[derive(Debug)]
pub(super) struct Wire {
    /// A window, as a client writes it.
    window: Vec<u8>,
    /// How much of it was read.
    read: usize,
    left: Left,
}

/// Windows that are still to come.
pub(super) type Left = Rc<Cell<u32>>;

/// What masks the payload.
const MASK: [u8; 4] = [1, 2, 3, 4];

impl Wire {
    /// Nothing comes unless that is set to more.
    pub(super) fn new() -> (Self, Left) {
        let window = frames(PAYLOAD, WINDOW as usize);
        let left = Left::default();
        let wire = Self {
            read: window.len(),
            window,
            left: Rc::clone(&left),
        };
        (wire, left)
    }
}

/// So many binary messages, as a client writes them. The payload is short enough for the length to take one byte.
pub(super) fn frames(payload: usize, messages: usize) -> Vec<u8> {
    let mut frame = vec![0x82, 0x80 | u8::try_from(payload).expect("it is short")];
    frame.extend(MASK);
    frame.resize(frame.len() + payload, 7);
    frame.repeat(messages)
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.read == this.window.len() {
            let left = this.left.get();
            if left > 0 {
                this.left.set(left - 1);
                this.read = 0;
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let length = buffer.remaining().min(this.window.len() - this.read);
        buffer.put_slice(&this.window[this.read..this.read + length]);
        this.read += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
