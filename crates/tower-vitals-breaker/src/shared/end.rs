//! How calls end.

use super::{Shared, window::When};
use crate::{
    Outcome,
    machine::{Change, Purpose, Ticket},
    recent::Mark,
    timing::Timing,
    verdict::{Kind, Verdict},
};

impl Shared {
    /// A call that was let through ended.
    #[inline(always)] // into `Permit`, see there
    pub(crate) fn end(&self, ticket: Ticket, verdict: Verdict, now: u64, timing: Timing) -> Outcome {
        let when = self.window.at(now);
        if self.word().bits() != ticket.bits() || verdict.kind() != Kind::Success {
            return self.end_unusually(ticket, verdict, when, timing);
        }
        // The usual end: a success that is not timed, in the state in which the call began.
        let cells = self.cells.mine();
        cells.count(Outcome::Success);
        let generation = ticket.generation();
        let is_suspect = self.window.record(cells, generation, when, Mark::GOOD);
        self.consecutive.succeed(generation);
        if is_suspect {
            self.judge(generation, verdict, Mark::GOOD, when);
        }
        Outcome::Success
    }

    #[inline(never)]
    fn end_unusually(&self, ticket: Ticket, verdict: Verdict, when: When, timing: Timing) -> Outcome {
        let took = timing.took(when.now);
        let is_slow = match (self.settings.slow, took) {
            (Some(slow), Some(took)) => self.settings.semantics.slow.holds(took, slow.after),
            _ => false,
        };
        let outcome = match ticket.purpose() {
            Purpose::Counted { generation } => self.end_counted(generation, verdict, when, is_slow),
            Purpose::Probe { generation } => self.end_probe(generation, verdict, when.now, is_slow),
            Purpose::Unjudged => self.count(verdict.outcome(is_slow)),
        };
        if let (Some(durations), Some(took)) = (&self.durations, took) {
            durations.observe(outcome, took);
        }
        outcome
    }

    /// Counts before it judges, so that who sees the state change sees the count, too.
    fn end_counted(&self, generation: u64, verdict: Verdict, when: When, is_slow: bool) -> Outcome {
        let cells = self.cells.mine();
        if self.word().generation() != generation {
            cells.count(Outcome::Stale);
            return Outcome::Stale;
        }
        let outcome = verdict.outcome(is_slow);
        cells.count(outcome);
        let kind = match verdict.kind() {
            Kind::Ignored if self.settings.semantics.ignored_succeeds => Kind::Success,
            Kind::Ignored => return outcome,
            kind => kind,
        };
        let mark = Mark {
            failed: kind != Kind::Success,
            slow: is_slow,
        };
        let is_suspect = self.window.record(cells, generation, when, mark);
        if matches!(kind, Kind::Success | Kind::SoftFailure) {
            self.consecutive.succeed(generation);
        }
        if is_suspect {
            self.judge(generation, verdict, mark, when);
        }
        outcome
    }

    /// Counts before anybody learns of the change, too.
    #[cold]
    fn end_probe(&self, generation: u64, verdict: Verdict, now: u64, is_slow: bool) -> Outcome {
        let semantics = self.settings.semantics;
        let mut control = self.control();
        let machine = &mut control.machine;
        let ended = match verdict.kind() {
            Kind::Ignored if !semantics.ignored_succeeds => machine.take_back(generation).then_some(Change::NONE),
            kind => {
                if let Some(until) = self.asks_until(verdict, now) {
                    machine.leave_alone(generation, until);
                }
                let failed = !matches!(kind, Kind::Success | Kind::Ignored);
                machine.end_probe(&self.settings, generation, (failed, is_slow), now, fastrand::f64())
            }
        };
        let outcome = self.count(ended.map_or(Outcome::Stale, |_| verdict.outcome(is_slow)));
        self.publish(&mut control, ended.unwrap_or(Change::NONE), now);
        drop(control);
        self.settled(ended);
        outcome
    }

    fn count(&self, outcome: Outcome) -> Outcome {
        self.cells.mine().count(outcome);
        outcome
    }

    /// Whoever waited for a call went away.
    pub(crate) fn cancel(&self, ticket: Ticket) {
        self.count(Outcome::Cancelled);
        if let Purpose::Probe { generation } = ticket.purpose() {
            let now = self.clock.nanos();
            let mut control = self.control();
            let ended = if self.settings.semantics.cancelled_probe_fails {
                control
                    .machine
                    .end_probe(&self.settings, generation, (true, false), now, fastrand::f64())
            } else {
                control.machine.take_back(generation).then_some(Change::NONE)
            };
            self.publish(&mut control, ended.unwrap_or(Change::NONE), now);
            drop(control);
            self.settled(ended);
        }
    }

    /// Until when what was called asks to be left alone.
    pub(super) fn asks_until(&self, verdict: Verdict, now: u64) -> Option<u64> {
        let asked = u64::try_from(verdict.retry_after()?.as_nanos()).unwrap_or(u64::MAX);
        let heard = asked.min(self.settings.retry_after_cap);
        (heard > 0 && verdict.is_failure()).then(|| now.saturating_add(heard))
    }

    /// After a probe ended: a place may be free.
    fn settled(&self, ended: Option<Change>) {
        if let Some(change) = ended {
            self.waiters.wake();
            self.tell(change);
        }
    }
}
