use std::time::Duration;

use super::{
    Limits,
    heartbeat::{Beat, Due, Payload},
    ping_rate::PingRate,
};
use crate::{CloseCause, CloseCode};

/// Where a connection stands within its limits. Times are in nanoseconds of one clock.
#[derive(Debug)]
pub(crate) struct Life {
    beat: Option<Beat>,
    idle: Option<u64>,
    /// When it is as old as it may become.
    ends: Option<u64>,
    pings: Option<PingRate>,
    /// When something was received or sent last, as far as that was noticed.
    active: u64,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Nothing,
    /// Ask whether the other side is there, by the ping that waits for room now.
    Ping,
    /// Close the connection.
    Close(CloseCause, CloseCode, &'static str),
}

impl Life {
    pub(crate) fn new(limits: &Limits, random: u64, now: u64) -> Self {
        let lifetime = limits.lifetime.map(|lifetime| {
            let lifetime = nanos(lifetime);
            now.saturating_add(lifetime - random % (lifetime / 10).max(1))
        });
        Self {
            beat: limits.heartbeat.map(|heartbeat| Beat::new(heartbeat, random, now)),
            idle: limits.idle.map(nanos),
            ends: lifetime,
            pings: PingRate::new(limits.pings, now),
            active: now,
        }
    }

    /// Something was received or sent until now.
    pub(crate) fn see_activity(&mut self, now: u64) {
        self.active = now;
    }

    /// Something came.
    pub(crate) fn hear(&mut self) {
        if let Some(beat) = &mut self.beat {
            beat.hear();
        }
    }

    /// What is to be done by now, where the other side may have answered unseen before `from`.
    pub(crate) fn act(&mut self, now: u64, from: u64) -> Act {
        if self.ends.is_some_and(|ends| ends <= now) {
            return Act::Close(CloseCause::Lifetime, CloseCode::GOING_AWAY, "lifetime");
        }
        if self.idle_until().is_some_and(|until| until <= now) {
            return Act::Close(CloseCause::IdleTimeout, CloseCode::GOING_AWAY, "idle");
        }
        match &mut self.beat {
            Some(beat) => match beat.due(now, from) {
                Due::Nothing => Act::Nothing,
                Due::Ping => {
                    beat.ask(now);
                    Act::Ping
                }
                Due::TimedOut => Act::Close(CloseCause::HeartbeatTimeout, CloseCode::INTERNAL_ERROR, "heartbeat timeout"),
            },
            None => Act::Nothing,
        }
    }

    /// When there is something to be done, if ever.
    pub(crate) fn deadline(&self, from: u64) -> Option<u64> {
        let beat = self.beat.as_ref().map(|beat| beat.deadline(from));
        [self.ends, self.idle_until(), beat].into_iter().flatten().min()
    }

    /// A ping came. Whether it may.
    pub(crate) fn allows_ping(&mut self, now: u64) -> bool {
        self.pings.as_mut().is_none_or(|rate| rate.allows(now))
    }

    /// Whether pings are limited.
    pub(crate) fn limits_pings(&self) -> bool {
        self.pings.is_some()
    }

    /// What the ping of ours carries that waits for room.
    pub(crate) fn unsent_ping(&self) -> Option<Payload> {
        self.beat.as_ref().and_then(Beat::unsent)
    }

    /// The ping that waited for room is on its way, or will never be.
    pub(crate) fn send_ping(&mut self, is_sent: bool, now: u64) {
        if let Some(beat) = &mut self.beat {
            beat.send(is_sent, now);
        }
    }

    /// The ping has left.
    pub(crate) fn leave_ping(&mut self, now: u64) {
        if let Some(beat) = &mut self.beat {
            beat.leave(now);
        }
    }

    /// Whether a pong is to a ping of ours.
    pub(crate) fn is_own_pong(&self, payload: &[u8]) -> bool {
        self.beat.as_ref().is_some_and(|beat| beat.is_own(payload))
    }

    /// A pong came to a ping of ours: how long that took since the ping was sent, if it is the one that is waited for.
    pub(crate) fn see_pong(&mut self, payload: &[u8], now: u64) -> Option<u64> {
        self.beat.as_mut().and_then(|beat| beat.pong(payload, now))
    }

    /// Pings in a row that had no pong when the next one was due.
    pub(crate) fn missed_pongs(&self) -> u32 {
        self.beat.as_ref().map_or(0, Beat::missed)
    }

    fn idle_until(&self) -> Option<u64> {
        self.idle.map(|idle| self.active.saturating_add(idle))
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::Heartbeat;

    const SECOND: u64 = 1_000_000_000;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn cause(act: Act) -> Option<CloseCause> {
        match act {
            Act::Close(cause, _, _) => Some(cause),
            _ => None,
        }
    }

    /// The ping that is due by now, sent.
    fn ping(life: &mut Life, now: u64) -> Payload {
        assert_eq!(life.act(now, 0), Act::Ping, "it is due at {now}");
        let Some(payload) = life.unsent_ping() else {
            panic!("there is none to be sent")
        };
        life.send_ping(true, now);
        assert_eq!(life.unsent_ping(), None);
        payload
    }

    #[test]
    fn pings_go_at_intervals_and_anything_that_comes_is_an_answer() {
        let heartbeat = Heartbeat::every(secs(30)).timeout(secs(5));
        let mut life = Life::new(&Limits::new().heartbeat(heartbeat), 0, 0);
        assert_eq!(life.deadline(0), Some(15 * SECOND));
        assert_eq!(life.act(15 * SECOND - 1, 0), Act::Nothing);
        let first = ping(&mut life, 15 * SECOND);
        assert_eq!(life.act(15 * SECOND, 0), Act::Nothing, "it is on its way");
        assert_eq!(life.deadline(0), Some(20 * SECOND));
        life.hear();
        assert_eq!(life.act(20 * SECOND, 0), Act::Nothing, "something came");
        assert_eq!(life.see_pong(&first, 21 * SECOND), Some(6 * SECOND), "however late");
        assert_eq!(life.see_pong(&first, 22 * SECOND), None, "once");
        let second = ping(&mut life, 45 * SECOND);
        assert_ne!(first, second);
        assert!(life.is_own_pong(&first) && !life.is_own_pong(b"12345678") && !life.is_own_pong(b""));
        assert_eq!(life.see_pong(&first, 46 * SECOND), None, "it is not to this one");
        assert_eq!(cause(life.act(50 * SECOND, 0)), Some(CloseCause::HeartbeatTimeout));
    }

    #[test]
    fn a_ping_that_cannot_be_sent_waits_from_when_it_was_due_and_again_when_it_left() {
        let heartbeat = Heartbeat::every(secs(10)).timeout(secs(25));
        let mut life = Life::new(&Limits::new().heartbeat(heartbeat), 0, 0);
        assert_eq!(life.act(5 * SECOND, 0), Act::Ping);
        let first = life.unsent_ping();
        assert_eq!(life.act(15 * SECOND, 0), Act::Ping);
        assert_eq!((life.unsent_ping(), life.missed_pongs()), (first, 0), "it still waits");
        assert_eq!(life.deadline(0), Some(25 * SECOND));
        assert_eq!(life.act(25 * SECOND, 0), Act::Ping);
        assert_eq!(life.deadline(0), Some(30 * SECOND));
        life.leave_ping(29 * SECOND);
        assert_eq!(life.act(30 * SECOND, 0), Act::Nothing, "there was no room for it before");
        assert_eq!(cause(life.act(54 * SECOND, 0)), Some(CloseCause::HeartbeatTimeout));
    }

    #[test]
    fn who_looks_late_asks_before_it_is_too_late() {
        let heartbeat = Heartbeat::every(secs(10)).timeout(secs(5));
        let mut life = Life::new(&Limits::new().heartbeat(heartbeat), 0, 0);
        ping(&mut life, 300 * SECOND);
        assert_eq!(life.deadline(0), Some(305 * SECOND));
        assert_eq!(life.act(300 * SECOND, 0), Act::Nothing);
        // A task that has not read since may have the answer without knowing it.
        assert_eq!(life.act(306 * SECOND, 304 * SECOND), Act::Nothing);
        assert_eq!(life.deadline(304 * SECOND), Some(309 * SECOND));
        assert_eq!(
            cause(life.act(309 * SECOND, 304 * SECOND)),
            Some(CloseCause::HeartbeatTimeout)
        );
    }

    #[test]
    fn pongs_that_do_not_come_are_missed() {
        let heartbeat = Heartbeat::every(secs(10)).timeout(secs(100));
        let mut life = Life::new(&Limits::new().heartbeat(heartbeat), 0, 0);
        for (now, missed) in [(5, 0), (15, 1), (25, 2)] {
            let ping = ping(&mut life, now * SECOND);
            assert_eq!(life.missed_pongs(), missed);
            if now == 25 {
                assert_eq!(life.see_pong(&ping, 26 * SECOND), Some(SECOND));
            }
        }
        assert_eq!(life.missed_pongs(), 0);
    }

    #[test]
    fn an_idle_connection_and_an_old_one_end() {
        let limits = Limits::new().idle_timeout(secs(60)).max_lifetime(secs(1_000));
        let mut life = Life::new(&limits, 0, 0);
        assert_eq!(life.deadline(0), Some(60 * SECOND));
        life.see_activity(50 * SECOND);
        assert_eq!(life.act(60 * SECOND, 0), Act::Nothing);
        assert_eq!(cause(life.act(110 * SECOND, 0)), Some(CloseCause::IdleTimeout));
        life.see_activity(999 * SECOND);
        assert_eq!(life.act(999 * SECOND, 0), Act::Nothing);
        assert_eq!(cause(life.act(1_000 * SECOND, 0)), Some(CloseCause::Lifetime));
        for random in [1, u64::MAX, 99_999_999_999] {
            let ends = Life::new(&Limits::new().max_lifetime(secs(1_000)), random, 0).deadline(0);
            assert!(
                ends.is_some_and(|ends| (900 * SECOND..=1_000 * SECOND).contains(&ends)),
                "{ends:?}"
            );
        }
    }

    #[test]
    fn settings_that_make_no_sense_break_nothing() {
        let heartbeat = Heartbeat::every(Duration::ZERO).timeout(Duration::ZERO);
        let limits = Limits::new()
            .heartbeat(heartbeat)
            .idle_timeout(Duration::ZERO)
            .max_lifetime(Duration::ZERO);
        let mut life = Life::new(&limits, u64::MAX, 5);
        assert_eq!(cause(life.act(5, 0)), Some(CloseCause::Lifetime));
        let heartbeat = Heartbeat::every(Duration::MAX).timeout(Duration::MAX);
        let limits = Limits::new()
            .heartbeat(heartbeat)
            .idle_timeout(Duration::MAX)
            .max_lifetime(Duration::MAX);
        let mut life = Life::new(&limits, 7, u64::MAX / 2);
        assert_eq!(life.act(u64::MAX - 1, 0), Act::Nothing);
    }
}
