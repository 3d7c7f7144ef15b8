use std::time::Duration;

use super::life::nanos;

/// Asks the other side whether it is there: a ping at intervals, and a time within which something must come.
///
/// Anything that comes is a sign of life, not only the pong. The time begins when the ping is due, also if it cannot be sent because the
/// other side does not take what was sent before, and again when that has left at last. A connection without a sign of life ends as
/// `heartbeat_timeout`, with the code 1011. So does one whose task receives nothing while it waits so long for a single message to leave.
///
/// The first ping goes out within the interval, at a time that differs between connections. Its pong is not given to the application.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use tower_vitals_ws::{Heartbeat, Limits};
///
/// let heartbeat = Heartbeat::every(Duration::from_secs(20)).timeout(Duration::from_secs(5));
/// let limits = Limits::new().heartbeat(heartbeat);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Heartbeat {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

/// Where the heartbeat of a connection stands. Times are in nanoseconds.
#[derive(Debug)]
pub(super) struct Beat {
    interval: u64,
    timeout: u64,
    /// When the next ping is due.
    due: u64,
    /// Since when nothing came that was asked for.
    waits_since: Option<u64>,
    /// A ping that found no room yet.
    unsent: Option<Payload>,
    /// The ping that is on its way, and when it was sent.
    sent: Option<(Payload, u64)>,
    /// Tells our pings from those of the application, and of other connections.
    nonce: u32,
    number: u32,
    /// Pings in a row that had no pong when the next one was due.
    missed: u32,
}

/// What a ping of ours carries.
pub(crate) type Payload = [u8; 8];

/// Shorter ones would be no heartbeat but a load.
const SHORTEST: Duration = Duration::from_millis(100);

impl Heartbeat {
    /// A ping at each such interval, of 100 ms at least. Something must come within 10 s, or within the interval where that is shorter.
    pub fn every(interval: Duration) -> Self {
        let interval = interval.max(SHORTEST);
        Self {
            interval,
            timeout: interval.min(Duration::from_secs(10)),
        }
    }

    /// How long nothing may come after a ping was due, 100 ms at least. A message that takes longer than this to be sent may look like the
    /// end.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(SHORTEST);
        self
    }
}

/// What is to be done about the heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    TimedOut,
}

impl Beat {
    pub(super) fn new(settings: Heartbeat, random: u64, now: u64) -> Self {
        let interval = nanos(settings.interval);
        // Connections that began together would ping together otherwise.
        let first = interval / 2 + random % (interval / 2);
        Self {
            interval,
            timeout: nanos(settings.timeout),
            due: now.saturating_add(first),
            waits_since: None,
            unsent: None,
            sent: None,
            #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
            nonce: (random >> 32) as u32,
            number: 0,
            missed: 0,
        }
    }

    /// What is to be done by now, where no time counts before `from`.
    pub(super) fn due(&self, now: u64, from: u64) -> Due {
        if self.times_out(from) <= now {
            Due::TimedOut
        } else if self.due <= now {
            Due::Ping
        } else {
            Due::Nothing
        }
    }

    /// When there is something to be done.
    pub(super) fn deadline(&self, from: u64) -> u64 {
        self.due.min(self.times_out(from))
    }

    fn times_out(&self, from: u64) -> u64 {
        let since = self.waits_since.map(|since| since.max(from));
        since.map_or(u64::MAX, |since| since.saturating_add(self.timeout))
    }

    /// Something came.
    pub(super) fn hear(&mut self) {
        self.waits_since = None;
    }

    /// A ping is due: it waits for room. The next one is due an interval later.
    pub(super) fn ask(&mut self, now: u64) {
        // Not since it was due: a task that looks late has asked nobody yet.
        self.waits_since.get_or_insert(now);
        self.due = now.saturating_add(self.interval);
        if self.unsent.is_some() {
            return;
        }
        if self.sent.take().is_some() {
            self.missed = self.missed.saturating_add(1);
        }
        self.number = self.number.wrapping_add(1);
        let mut payload = Payload::default();
        payload[..4].copy_from_slice(&self.nonce.to_be_bytes());
        payload[4..].copy_from_slice(&self.number.to_be_bytes());
        self.unsent = Some(payload);
    }

    /// What the ping carries that waits for room.
    pub(super) fn unsent(&self) -> Option<Payload> {
        self.unsent
    }

    /// The ping that waited for room is on its way, or will never be.
    pub(super) fn send(&mut self, is_sent: bool, now: u64) {
        self.sent = self.unsent.take().filter(|_| is_sent).map(|payload| (payload, now));
    }

    /// The ping has left, and perhaps what was sent before it. The other side has all the time to answer from now on.
    pub(super) fn leave(&mut self, now: u64) {
        if let Some(since) = &mut self.waits_since {
            *since = now;
        }
    }

    /// A pong came: how long that took since its ping was sent, if it was one of ours.
    pub(super) fn pong(&mut self, payload: &[u8], now: u64) -> Option<u64> {
        let (_, sent) = self.sent.take_if(|(sent, _)| payload == sent)?;
        self.missed = 0;
        Some(now.saturating_sub(sent))
    }

    /// Whether a pong is to a ping of ours, also to one that is no longer waited for.
    pub(super) fn is_own(&self, payload: &[u8]) -> bool {
        payload.len() == 8 && payload[..4] == self.nonce.to_be_bytes()
    }

    pub(super) fn missed(&self) -> u32 {
        self.missed
    }
}
