//! One socket that sends back what comes.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message},
};
use tower_vitals::{
    MeteredWebSocket,
    ws::{OutboxSender, OutboxSocket},
};

use super::wire::{WINDOW, Wire};

/// A socket at the end of a wire, and a way to use it.
pub(super) trait Echo {
    /// Sends back so many messages, with one flush.
    fn window(&mut self) -> impl Future<Output = ()>;
}

/// The function that echoes.
pub(super) const FUNCTION: &str = "benches::websocket::echo::repeat";

/// Echoes so many windows. It is the one function that callgrind collects in, so it stays a function and has no closure.
#[inline(never)]
pub(super) fn repeat<E: Echo>(echo: &mut E, windows: u32) {
    run(echo, windows);
}

/// The same, without callgrind looking: until the library's buffers have their sizes, what they take hangs on where the allocator puts them.
#[inline(never)]
pub(super) fn warm_up<E: Echo>(echo: &mut E, windows: u32) {
    run(echo, windows);
}

#[inline(never)]
fn run<E: Echo>(echo: &mut E, windows: u32) {
    for _ in 0..windows {
        // The future is over within two polls: the second goes on after the wait before the window.
        let mut window = pin!(echo.window());
        let mut context = Context::from_waker(Waker::noop());
        let polls = (0..3).find(|_| window.as_mut().poll(&mut context).is_ready());
        assert!(polls.is_some(), "a window that does not end");
    }
}

/// A socket by the traits that all of them have.
pub(super) struct ByTraits<S>(pub(super) S);

/// Ours by its own methods.
pub(super) struct ByMethods(pub(super) MeteredWebSocket<WebSocketStream<Wire>>);

/// Ours with an outbox, which is emptied when the next window is waited for.
pub(super) struct ByOutbox(
    pub(super) OutboxSender<Message>,
    pub(super) OutboxSocket<WebSocketStream<Wire>>,
);

impl<S> Echo for ByTraits<S>
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    async fn window(&mut self) {
        for _ in 0..WINDOW {
            let message = self.0.next().await.expect("more comes").expect("it is well-formed");
            self.0.feed(message).await.expect("there is room");
        }
        self.0.flush().await.expect("all of it leaves");
    }
}

impl Echo for ByMethods {
    async fn window(&mut self) {
        for _ in 0..WINDOW {
            let message = self.0.recv().await.expect("more comes").expect("it is well-formed");
            self.0.feed(message).await.expect("there is room");
        }
        self.0.flush().await.expect("all of it leaves");
    }
}

impl Echo for ByOutbox {
    async fn window(&mut self) {
        let Self(sender, socket) = self;
        for _ in 0..WINDOW {
            let message = socket.recv().await.expect("more comes").expect("it is well-formed");
            sender.send(message).await.expect("there is room");
        }
    }
}
