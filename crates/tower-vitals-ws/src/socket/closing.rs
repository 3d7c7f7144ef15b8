//! How this side closes a connection for a reason of its own.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use super::{MeteredWebSocket, Socket, tending::READS};
use crate::{
    CloseCause, CloseCode, WsMessage,
    connection::{Order, Side},
};

/// A connection that this side closes by itself.
#[derive(Debug)]
pub(super) struct Closing {
    /// What is still to be sent.
    pub(super) frame: Option<(CloseCode, &'static str)>,
    /// When nobody waits for an answer any more.
    pub(super) until: u64,
    /// Whether pings are thrown away: more of them came than may come.
    pub(super) is_deaf: bool,
}

impl Closing {
    fn new(cause: CloseCause, frame: Option<(CloseCode, &'static str)>, now: u64) -> Self {
        let seconds = match cause {
            // These do not read, or do what they must not.
            CloseCause::HeartbeatTimeout | CloseCause::PingFlood | CloseCause::SlowConsumer => 1,
            _ => 5,
        };
        Self {
            frame,
            until: now.saturating_add(seconds * 1_000_000_000),
            is_deaf: false,
        }
    }
}

impl<S: Socket> MeteredWebSocket<S> {
    /// Begins to close the connection for a reason of ours. What is to be done for it is done whenever the socket is polled.
    ///
    /// Where it is closed or closing already, that stays the reason, but it has no more time for it than it would have here.
    pub(crate) fn begin_close(&mut self, cause: CloseCause, code: CloseCode, reason: &'static str) -> bool {
        if self.tending.closing.is_some() {
            return false;
        }
        let begins = self.guard.ending.see_act(cause);
        let endpoint = self.guard.endpoint();
        if begins && cause == CloseCause::HeartbeatTimeout {
            endpoint.count_heartbeat_timeout();
        }
        let closing = Closing::new(cause, begins.then_some((code, reason)), endpoint.now());
        self.tending.closing = Some(closing);
        self.tending.reads = READS;
        // The task of the other side has to know.
        self.guard.record().orders.end();
        begins
    }

    /// Begins to close the connection if somebody wants that, and has the task woken when somebody does.
    pub(crate) fn heed(&mut self, side: Side, cx: &mut Context<'_>) {
        if let Some(order) = self.guard.record().orders.take_or_wait(side, cx.waker()) {
            let Order { cause, code, reason } = order;
            self.begin_close(cause, code, reason);
        }
    }

    /// Whether nothing is to be read: each ping would make the library keep another pong until the closing message is out.
    pub(super) fn must_not_read(&self) -> bool {
        let closing = self.tending.closing.as_ref();
        closing.is_some_and(|closing| closing.is_deaf && closing.frame.is_some())
    }

    /// Whether this side closes the connection by itself, or is about to.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.tending.closing.is_some() || self.guard.record().orders.waits()
    }

    /// Waits until the closing message has left, or there is no use in waiting.
    #[cold]
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_over = self.tend(Side::Write, cx);
        let has_frame = self.tending.closing.as_ref().is_some_and(|closing| closing.frame.is_some());
        if is_over || !(has_frame || self.tending.has_own) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Sends the closing message when what was sent before has left, because libraries may swallow one that finds their buffer full.
    pub(super) fn drive_close(&mut self) {
        let flushed = self.flush_own();
        let Some((code, reason)) = self.tending.closing.as_ref().and_then(|closing| closing.frame) else {
            return;
        };
        let ready = match flushed {
            Poll::Ready(Ok(())) => {
                let waker = self.waker();
                Pin::new(&mut self.inner).poll_ready(&mut Context::from_waker(&waker))
            }
            other => other,
        };
        if ready.is_pending() {
            return;
        }
        self.see_ready(&ready);
        if let Some(closing) = &mut self.tending.closing {
            closing.frame = None;
        }
        if matches!(ready, Poll::Ready(Ok(()))) {
            self.send_own(S::Message::close(code, reason));
            let _ = self.flush_own();
        }
    }
}
