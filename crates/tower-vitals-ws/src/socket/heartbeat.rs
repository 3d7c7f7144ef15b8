//! How a connection's limits are kept: its pings, and those of the other side.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use super::{MeteredWebSocket, Socket, tending::READS};
use crate::{
    CloseCause, CloseCode, WsMessage,
    life::{Act, Payload},
};

impl<S: Socket> MeteredWebSocket<S> {
    /// What the limits of its life ask for.
    pub(super) fn act(&mut self, now: u64, from: u64) {
        if self.tending.closing.is_some() {
            return;
        }
        if self.tending.has_own {
            self.flush_ping(now);
        }
        let act = self.tending.life.as_mut().map_or(Act::Nothing, |life| life.act(now, from));
        match act {
            Act::Nothing => {}
            Act::Ping => {
                let missed = self.tending.life.as_ref().map_or(0, |life| life.missed_pongs());
                self.guard.record().signs.see_missed(missed);
            }
            Act::Close(cause, code, reason) => {
                self.begin_close(cause, code, reason);
                return;
            }
        }
        if let Some(payload) = self.tending.life.as_ref().and_then(|life| life.unsent_ping()) {
            self.ping(payload, now);
        }
    }

    /// Sends a ping, or leaves it for later where what was sent before does not leave.
    fn ping(&mut self, payload: Payload, now: u64) {
        let mut is_sent = false;
        if self.guard.ending.is_open() && !self.guard.is_broken() {
            let waker = self.waker();
            let ready = Pin::new(&mut self.inner).poll_ready(&mut Context::from_waker(&waker));
            if ready.is_pending() {
                return;
            }
            self.see_ready(&ready);
            is_sent = matches!(ready, Poll::Ready(Ok(()))) && self.send_own(S::Message::ping(&payload));
        }
        if let Some(life) = &mut self.tending.life {
            life.send_ping(is_sent, now);
        }
        if is_sent {
            self.flush_ping(now);
        }
    }

    fn flush_ping(&mut self, now: u64) {
        if let (Poll::Ready(Ok(())), Some(life)) = (self.flush_own(), &mut self.tending.life) {
            life.leave_ping(now);
        }
    }

    /// A ping came. Whether it is more than may come, so that the application does not get it.
    #[cold]
    pub(super) fn see_ping(&mut self) -> bool {
        let Some(life) = self.tending.life.as_mut().filter(|life| life.limits_pings()) else {
            return false;
        };
        let is_flood = !life.allows_ping(self.guard.endpoint().now());
        if is_flood {
            self.begin_close(CloseCause::PingFlood, CloseCode::POLICY, "too many pings");
            if let Some(closing) = &mut self.tending.closing {
                closing.is_deaf = true;
            }
            self.tending.reads = READS;
        }
        is_flood
    }

    /// A pong came. Whether it is to a ping of ours, so that the application has no use for it.
    #[cold]
    pub(super) fn see_pong(&mut self, payload: &[u8]) -> bool {
        let Some(life) = self.tending.life.as_mut().filter(|life| life.is_own_pong(payload)) else {
            return false;
        };
        let now = self.guard.endpoint().now();
        let rtt = life.see_pong(payload, now);
        life.hear();
        if let Some(rtt) = rtt {
            self.guard.see_rtt(rtt);
        }
        true
    }
}
