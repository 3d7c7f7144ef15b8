//! Which calls are let through.

use super::Shared;
use crate::{
    Mode, RejectReason, State,
    machine::{Ticket, Word},
    sync::atomic::{AtomicU64, Ordering},
    timing::Timing,
};

/// Why a call is not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: RejectReason,
    /// From which time of the clock on a call may go through; `UNKNOWN` where nobody can tell.
    pub(crate) until: u64,
}

/// A time that nobody can tell.
pub(crate) const UNKNOWN: u64 = u64::MAX;

impl Refusal {
    /// In how many nanoseconds a call may go through, if that is known.
    pub(crate) fn retry_after(&self, now: u64) -> Option<u64> {
        (self.until != UNKNOWN).then(|| self.until.saturating_sub(now))
    }
}

impl Shared {
    /// Lets a call through, or says why not. Counts what is rejected, or would be.
    #[inline(always)] // into `Permit`, see there
    pub(crate) fn acquire(&self) -> Result<(Ticket, Timing), Refusal> {
        let word = self.word();
        match word.usual_ticket() {
            Some(ticket) => Ok((ticket, Timing::NONE)),
            None => self.acquire_unusually(word).map(|ticket| (ticket, self.begin())),
        }
    }

    /// What is known of a call's time when it begins.
    fn begin(&self) -> Timing {
        if self.settings.is_timed() {
            Timing::since(self.clock.nanos())
        } else {
            Timing::NONE
        }
    }

    /// Lets a call through that has no [usual ticket](Word::usual_ticket), or says why not. Counts what is rejected, or would be.
    #[inline(never)]
    fn acquire_unusually(&self, word: Word) -> Result<Ticket, Refusal> {
        if word.rejects_while_open() {
            let until = self.open_until.load(Ordering::Acquire);
            if self.clock.nanos() < until {
                return Err(self.reject(word.reason_of_open(), until));
            }
        }
        self.acquire_slowly(word)
    }

    #[inline(never)]
    fn acquire_slowly(&self, word: Word) -> Result<Ticket, Refusal> {
        if word.is_closed() {
            return Ok(word.ticket_of_closed());
        }
        let now = self.clock.nanos();
        let refused = match self.peek(word, now) {
            Some(reason) => Err((reason, word)),
            None => self.admit(now),
        };
        let (reason, word) = match refused {
            Ok(ticket) => return Ok(ticket),
            Err(refused) => refused,
        };
        if word.mode() == Mode::Shadow {
            self.cells.mine().would_reject(reason);
            return Ok(Ticket::UNJUDGED);
        }
        let until = match reason {
            RejectReason::HalfOpenFull => UNKNOWN,
            RejectReason::Open | RejectReason::ForcedOpen => self.open_until.load(Ordering::Acquire),
        };
        Err(self.reject(reason, until))
    }

    /// Why a call would be rejected without a look at the machine.
    #[inline]
    fn peek(&self, word: Word, now: u64) -> Option<RejectReason> {
        let is_before = |until: &AtomicU64| now < until.load(Ordering::Acquire);
        if word.is_open() {
            is_before(&self.open_until).then(|| word.reason_of_open())
        } else {
            let is_full = word.is_full() && is_before(&self.lease_until);
            is_full.then_some(RejectReason::HalfOpenFull)
        }
    }

    /// Counts a rejection.
    #[inline]
    fn reject(&self, reason: RejectReason, until: u64) -> Refusal {
        self.cells.mine().reject(reason);
        Refusal { reason, until }
    }

    /// Whether a call would be rejected now. Nothing is counted or taken.
    #[inline]
    pub(crate) fn would_reject(&self) -> bool {
        let word = self.word();
        !word.is_closed() && self.would_reject_now(word)
    }

    #[inline(never)] // where calls of a closed breaker pass by, too, it would take registers from them
    fn would_reject_now(&self, word: Word) -> bool {
        if word.rejects_while_open() {
            self.clock.nanos() < self.open_until.load(Ordering::Acquire)
        } else {
            self.is_full_now(word)
        }
    }

    #[cold]
    fn is_full_now(&self, word: Word) -> bool {
        !word.is_shadow() && self.peek(word, self.clock.nanos()).is_some()
    }

    /// The time of the clock from which a call that would be rejected now is worth another try; none when only an order changes it.
    pub(crate) fn worth_trying_at(&self) -> Option<u64> {
        let until = match self.word().state() {
            State::Closed => return Some(0),
            State::Open => &self.open_until,
            State::HalfOpen => &self.lease_until,
        };
        Some(until.load(Ordering::Acquire)).filter(|until| *until != UNKNOWN)
    }

    #[cold]
    fn admit(&self, now: u64) -> Result<Ticket, (RejectReason, Word)> {
        let mut control = self.control();
        let (admitted, change) = control.machine.admit(&self.settings, now, fastrand::f64());
        let word = self.publish(&mut control, change, now);
        drop(control);
        if word.is_full() {
            // Who waits for something else is rejected from now on.
            self.waiters.wake();
        }
        self.tell(change);
        admitted.map_err(|reason| (reason, word))
    }

    /// Rejects a call that nothing is ready for, and counts it. No place is taken, whether or not there is one by now. It does not look
    /// whether the time is over: then there is nothing left to wait.
    #[inline]
    pub(crate) fn refuse(&self) -> Refusal {
        let word = self.word();
        if word.is_open() {
            self.reject(word.reason_of_open(), self.open_until.load(Ordering::Acquire))
        } else if word.is_full() {
            self.reject(RejectReason::HalfOpenFull, UNKNOWN)
        } else {
            self.reject(RejectReason::Open, 0)
        }
    }
}
