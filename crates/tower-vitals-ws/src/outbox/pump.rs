use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_core::Stream;
use futures_sink::Sink;
use tokio::time::Sleep;

use super::{
    Outbox, Overflow,
    entry::{Entry, nanos},
    settings::OnGap,
    shared::{Next, Shared, Stalled},
};
use crate::{
    CloseCause, CloseCode, DropReason, Failure, MessageKind, MeteredWebSocket, Socket, WsError, WsMessage, connection::Side,
    socket::Facts,
};

/// Takes messages out of an outbox and hands them to a socket.
pub(super) struct Pump<S: Socket> {
    pub(super) socket: MeteredWebSocket<S>,
    pub(super) shared: Arc<Shared<S::Message>>,
    on_gap: Option<Arc<OnGap<S::Message>>>,
    /// How a connection is closed that is too slow.
    slow: Option<(CloseCode, Duration)>,
    /// Fires when a connection has been too slow for too long.
    patience: Option<Pin<Box<Sleep>>>,
    /// Whether something was handed over that is not known to have left.
    is_unflushed: bool,
    /// Whether senders were told to wake it.
    is_idle: bool,
    has_ended: bool,
    /// Whether one task receives and another sends.
    pub(super) is_split: bool,
    /// How to wake the one that receives.
    pub(super) reader: Option<Waker>,
    /// Whether the task that sends has let go of it.
    pub(super) is_undriven: bool,
    /// Whether nobody will receive any more.
    pub(super) is_let_go: bool,
    /// How many messages were handed over.
    handed: u8,
}

/// What came of handing messages over.
enum Handed {
    /// As many as there were, or as should leave now.
    Some,
    /// The socket takes none at the moment.
    Stalled,
}

/// So many messages are handed over before others get their turn.
const BATCH: u32 = 512;

/// Of so many messages one is timed.
const ONE_OF: u8 = 16;

impl<S: Socket> Pump<S> {
    pub(super) fn new(socket: MeteredWebSocket<S>, shared: Arc<Shared<S::Message>>, settings: Outbox<S::Message>) -> Self {
        let slow = match settings.overflow {
            Overflow::DisconnectSlow { code, grace } => Some((code, grace)),
            _ => None,
        };
        Self {
            socket,
            shared,
            on_gap: settings.on_gap,
            slow,
            patience: None,
            // Something may have been fed before.
            is_unflushed: true,
            is_idle: false,
            has_ended: false,
            is_split: false,
            reader: None,
            is_undriven: false,
            is_let_go: false,
            handed: 0,
        }
    }

    /// The next message. The end of them is that of the outbox.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<S::Message, <S as Socket>::Error>>> {
        let next = Pin::new(&mut self.socket).poll_next(cx);
        let reason = match &next {
            // Libraries send nothing but the reply from here on.
            Poll::Ready(Some(Ok(message))) if message.kind() == MessageKind::Close => DropReason::Closed,
            Poll::Ready(None) => DropReason::ConnectionDropped,
            // Who receives may stop at this.
            Poll::Ready(Some(Err(error))) if matches!(error.failure(), Failure::Reset | Failure::Io) => {
                DropReason::ConnectionDropped
            }
            _ => return next,
        };
        if self.is_split {
            self.shared.end(reason);
        } else {
            self.shared.close(reason);
        }
        next
    }

    /// Messages that are sent from here on need not wake it.
    pub(super) fn rouse(&mut self) {
        if std::mem::take(&mut self.is_idle) {
            self.shared.rouse();
        }
    }

    /// Sends what waits, as far as the socket takes it. Ready when nothing will be sent any more.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), <S as Socket>::Error>> {
        self.rouse();
        if self.socket.is_closing() {
            // At once, for it may take long until that has left.
            let _ = self.socket.poll_closed(cx);
            self.shared.close(DropReason::Closed);
        }
        let mut now = None;
        let mut left = BATCH;
        loop {
            if self.is_unflushed {
                // Before anything more is handed over: what waits here can still be replaced, and what was handed over cannot.
                match self.poll_flush(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(self.fail(error)),
                    Poll::Pending => return self.poll_stalled(cx, &mut now),
                }
            }
            if self.has_ended {
                return self.poll_ended(cx).map(Ok);
            }
            if left == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.hand_over(cx, &mut now, &mut left) {
                Ok(Handed::Some) => {}
                Ok(Handed::Stalled) => return self.poll_stalled(cx, &mut now),
                Err(error) => return Poll::Ready(self.fail(error)),
            }
            if self.is_idle && !self.is_unflushed {
                if self.is_split {
                    // The one that receives may do something else for long. Where it begins to close, it is woken by that.
                    self.socket.heed(Side::Write, cx);
                }
                return Poll::Pending;
            }
        }
    }

    /// Whoever sends may let go of the connection after this: where this side closes it, the other side has been told.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.socket.is_closing() {
            return self.socket.poll_closed(cx);
        }
        Poll::Ready(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), <S as Socket>::Error>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.is_unflushed = flushed.is_pending();
        flushed
    }

    /// Hands messages over until there are no more, the socket takes no more, or others should get their turn.
    fn hand_over(&mut self, cx: &mut Context<'_>, now: &mut Option<u64>, left: &mut u32) -> Result<Handed, <S as Socket>::Error> {
        while *left > 0 {
            match Pin::new(&mut self.socket).poll_ready(cx) {
                Poll::Ready(Ok(())) => *left -= 1,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(Handed::Stalled),
            }
            let socket = &mut self.socket;
            match self.shared.next(cx.waker(), now, |entry| socket.attempt(entry.facts)) {
                Next::Send { entry, is_last } => {
                    self.time(&entry, now);
                    self.start(entry.facts, entry.message)?;
                    if is_last {
                        break;
                    }
                }
                Next::Tell(missed) => self.tell(missed)?,
                Next::Wait => {
                    self.is_idle = true;
                    break;
                }
                Next::End(reason) => {
                    self.end(cx, reason);
                    break;
                }
            }
        }
        Ok(Handed::Some)
    }

    /// Closes the connection where nobody else will. What fails is for reading to say.
    pub(super) fn poll_close_undriven(&mut self, cx: &mut Context<'_>) {
        if !self.is_undriven || self.socket.is_closing() {
            return;
        }
        let must_close = !self.has_ended && self.socket.guard().ending.is_open();
        if must_close && matches!(Pin::new(&mut self.socket).poll_ready(cx), Poll::Ready(Ok(()))) {
            self.has_ended = true;
            let message = S::Message::close(CloseCode::NORMAL, "");
            let facts = Facts::of(&message);
            self.socket.attempt(facts);
            let _ = self.start(facts, message);
        }
        if self.is_unflushed {
            let _ = self.poll_flush(cx);
        }
    }

    /// Hands a message over that was attempted.
    fn start(&mut self, facts: Facts, message: S::Message) -> Result<(), <S as Socket>::Error> {
        match self.socket.start(facts, message) {
            Ok(()) => self.is_unflushed = true,
            Err(error) => match error.failure() {
                Failure::Finished | Failure::Closed | Failure::Reset | Failure::Io => return Err(error),
                // It is about this message alone, which was counted.
                _ => {}
            },
        }
        Ok(())
    }

    fn tell(&mut self, missed: u64) -> Result<(), <S as Socket>::Error> {
        let Some(on_gap) = &self.on_gap else { return Ok(()) };
        let message = on_gap(missed);
        let facts = Facts::of(&message);
        self.socket.attempt(facts);
        self.start(facts, message)
    }

    /// Notes for some of the messages for how long they waited.
    fn time(&mut self, entry: &Entry<S::Message>, now: &mut Option<u64>) {
        let is_timed = self.handed % ONE_OF == 0;
        self.handed = self.handed.wrapping_add(1);
        if is_timed {
            let waited = self.shared.now(now).saturating_sub(entry.sent);
            self.shared.endpoint().observe_queue_wait(waited);
        }
    }

    /// The socket takes nothing at the moment, and wakes who polls it when it does.
    fn poll_stalled(&mut self, cx: &mut Context<'_>, now: &mut Option<u64>) -> Poll<Result<(), <S as Socket>::Error>> {
        loop {
            let since = match self.shared.stall(cx.waker()) {
                Stalled::Ended(reason) => {
                    self.end(cx, reason);
                    return Poll::Pending;
                }
                Stalled::Refuses(since) => since,
            };
            let (Some(since), Some((_, grace))) = (since, self.slow) else {
                self.patience = None;
                return Poll::Pending;
            };
            let left = nanos(grace).saturating_sub(self.shared.now(now).saturating_sub(since));
            if left == 0 {
                self.shared.close(DropReason::SlowConsumer);
                continue;
            }
            if self.poll_patience(cx, Duration::from_nanos(left)).is_pending() {
                return Poll::Pending;
            }
            *now = None;
        }
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>, left: Duration) -> Poll<()> {
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(left)));
        // It may be from before there was room in between, and then fires too early.
        if patience.is_elapsed() {
            patience.set(tokio::time::sleep(left));
        }
        patience.as_mut().poll(cx)
    }

    /// Nothing comes any more.
    fn end(&mut self, cx: &Context<'_>, reason: DropReason) {
        self.patience = None;
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        if let (DropReason::SlowConsumer, Some((code, _))) = (reason, self.slow) {
            if self.socket.begin_close(CloseCause::SlowConsumer, code, "too slow") {
                self.is_unflushed = true;
                // It goes on when it is polled in both directions.
                cx.waker().wake_by_ref();
                if let Some(reader) = self.reader.take() {
                    reader.wake();
                }
            }
        }
    }

    /// Nothing can be sent any more. That the connection was closed is nothing that failed here.
    fn fail(&mut self, error: <S as Socket>::Error) -> Result<(), <S as Socket>::Error> {
        self.is_unflushed = false;
        self.has_ended = true;
        match error.failure() {
            Failure::Finished | Failure::Closed => {
                self.shared.close(DropReason::Closed);
                Ok(())
            }
            _ => {
                self.shared.close(DropReason::IoError);
                Err(error)
            }
        }
    }
}
