use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{Facts, MeteredWebSocket, Socket, closing::Closing};
use crate::{
    Limits,
    connection::{Side, random},
    life::{Life, Timer},
};

/// What a socket does besides what it is asked for: heartbeats, limits, and closing by itself.
#[derive(Debug, Default)]
pub(super) struct Tending {
    pub(super) life: Option<Box<Life>>,
    pub(super) closing: Option<Closing>,
    /// For each side its own, because they may be two tasks.
    timers: [Timer; 2],
    /// How many messages came since it was looked at.
    pub(super) reads: u32,
    /// Whether something was sent since.
    pub(super) has_sent: bool,
    /// Whether a message of ours is not known to have left.
    pub(super) has_own: bool,
    /// Whether sending waits.
    pub(super) is_stalled: bool,
    /// Whether it waits for room.
    pub(super) has_no_room: bool,
    /// Whether there will be nothing more, whatever the socket says.
    pub(super) is_over: bool,
}

/// However many messages come, once in so many it is looked at what else there is to do.
pub(super) const READS: u32 = 64;

impl<S: Socket> MeteredWebSocket<S> {
    /// Bounds the connection's life from now on.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        let now = self.guard.endpoint().now();
        self.tending.life = Some(Box::new(Life::new(&limits, random(), now)));
        self
    }

    /// Whether there is something to do before the next message is read.
    #[inline]
    pub(super) fn must_tend(&self) -> bool {
        self.tending.reads >= READS || self.guard.record().orders.waits()
    }

    /// Does what is due besides reading and writing, and has the task woken when there is more of it. Whether the connection is over.
    #[inline(never)]
    pub(super) fn tend(&mut self, side: Side, cx: &mut Context<'_>) -> bool {
        if self.tending.is_over {
            return true;
        }
        let came = mem::take(&mut self.tending.reads) > 0;
        let is_active = mem::take(&mut self.tending.has_sent) || came;
        self.heed(side, cx);
        if !is_active && self.tending.life.is_none() && self.tending.closing.is_none() {
            return false;
        }
        let now = self.guard.endpoint().now();
        if is_active && self.tending.closing.is_none() {
            self.guard.record().signs.see_activity(now);
            if let Some(life) = &mut self.tending.life {
                life.see_activity(now);
                if came {
                    life.hear();
                }
            }
        }
        self.do_what_is_due(side, now, cx)
    }

    fn do_what_is_due(&mut self, side: Side, mut now: u64, cx: &mut Context<'_>) -> bool {
        loop {
            // Who sends does not see what came. It is a bad sign only when what it sends does not leave either.
            let from = match side {
                Side::Read => 0,
                Side::Write => self.guard.record().signs.stalled_since().unwrap_or(now),
            };
            self.act(now, from);
            if self.tending.closing.is_some() {
                self.drive_close();
            }
            let deadline = match (&self.tending.closing, &self.tending.life) {
                (Some(closing), _) if closing.until <= now => {
                    // The task of the other side has a timer of its own for this.
                    self.tending.is_over = true;
                    self.tending.reads = READS;
                    return true;
                }
                (Some(closing), _) => {
                    if closing.is_deaf {
                        self.tending.reads = READS;
                    }
                    Some(closing.until)
                }
                (None, Some(life)) => life.deadline(from),
                (None, None) => None,
            };
            let Some(at) = deadline else { return false };
            if self.tending.timers[side as usize].poll_until(at, now, cx).is_pending() {
                return false;
            }
            now = self.guard.endpoint().now();
        }
    }

    /// Whether it was accepted.
    pub(super) fn send_own(&mut self, message: S::Message) -> bool {
        let facts = Facts::of(&message);
        let has_sent = self.tending.has_sent;
        self.attempt(facts);
        // What came of it is noted, and there is nobody to tell.
        let sent = self.start(facts, message);
        // It does not show that anybody uses the connection.
        self.tending.has_sent = has_sent;
        self.tending.has_own = true;
        sent.is_ok()
    }

    pub(super) fn flush_own(&mut self) -> Poll<Result<(), <S as Socket>::Error>> {
        let waker = self.waker();
        let was_stalled = self.tending.is_stalled;
        let flushed = Pin::new(&mut self.inner).poll_flush(&mut Context::from_waker(&waker));
        self.see_flush(&flushed);
        self.tending.has_own = flushed.is_pending();
        if was_stalled && flushed.is_ready() {
            // Who waited for this will hear of it from nobody else.
            self.guard.record().orders.wake();
        }
        flushed
    }

    /// Wakes the tasks of both sides: a library knows one that waits to write, and that must not be ours alone.
    pub(super) fn waker(&self) -> Waker {
        Arc::clone(self.guard.record()).into()
    }
}
