mod half_open;
mod transitions;

use super::plan::{Length, Plan};
use crate::{Mode, Outcome, RejectReason, State, TransitionReason, verdict::Kind};

/// A breaker that keeps lists of all that ever happened, and reads them anew for each answer.
#[derive(Debug)]
pub(super) struct Model {
    plan: Plan,
    pub(super) state: State,
    pub(super) mode: Mode,
    /// When this state began, or was begun again by an order.
    pub(super) since: u64,
    /// When it came into this state.
    pub(super) went: u64,
    pub(super) until: Option<u64>,
    /// Goes up with all that makes calls on their way stale.
    epoch: u32,
    calls: Vec<Call>,
    /// The results that count, as they came.
    results: Vec<Sample>,
    /// How often it opened by results and was not well since.
    openings: u32,
    /// Until when it was asked to be left alone since it opened by results or closed.
    asks: Vec<u64>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) rejected: Vec<RejectReason>,
    pub(super) would_reject: Vec<RejectReason>,
    pub(super) told: Vec<Told>,
}

/// A call that was let through.
#[derive(Clone, Copy, Debug)]
struct Call {
    grant: Grant,
    epoch: u32,
    began: u64,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    Counted,
    Probe,
    Unjudged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    OnItsWay,
    WithoutResult,
    With { failed: bool, slow: bool },
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: u64,
    epoch: u32,
    kind: Kind,
    slow: bool,
}

/// From where, to where, why, when, and until when.
pub(super) type Went = (State, State, TransitionReason, u64, Option<u64>);

/// What somebody who listens should hear.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Told {
    pub(super) went: Option<Went>,
    pub(super) mode: Option<(Mode, Mode)>,
}

impl Model {
    pub(super) fn new(plan: Plan, now: u64) -> Self {
        Self {
            plan,
            state: State::Closed,
            mode: Mode::Auto,
            since: now,
            went: now,
            until: None,
            epoch: 0,
            calls: Vec::new(),
            results: Vec::new(),
            openings: 0,
            asks: Vec::new(),
            outcomes: Vec::new(),
            rejected: Vec::new(),
            would_reject: Vec::new(),
            told: Vec::new(),
        }
    }

    // === calls ===

    /// The number of the call and what it was granted, or why not and when to come again.
    pub(super) fn acquire(&mut self, now: u64) -> Result<(usize, Grant), (RejectReason, Option<u64>)> {
        let (reason, until) = match self.look(now) {
            Ok(grant) => return Ok(self.grant(grant, now)),
            Err(refused) => refused,
        };
        if self.mode == Mode::Shadow {
            self.would_reject.push(reason);
            return Ok(self.grant(Grant::Unjudged, now));
        }
        self.rejected.push(reason);
        Err((reason, until.map(|until| until - now)))
    }

    fn look(&mut self, now: u64) -> Result<Grant, (RejectReason, Option<u64>)> {
        let is_forced = self.mode == Mode::ForcedOpen;
        match self.state {
            State::Closed if self.mode == Mode::Disabled => Ok(Grant::Unjudged),
            State::Closed => Ok(Grant::Counted),
            State::Open if self.until.is_some_and(|until| now >= until) => {
                let mode = if is_forced { Mode::Auto } else { self.mode };
                let mode = self.turn(mode);
                let went = Some(self.go(State::HalfOpen, TransitionReason::OpenTimeOver, now, None));
                self.tell(Told { went, mode });
                Ok(Grant::Probe)
            }
            State::Open if is_forced => Err((RejectReason::ForcedOpen, self.until)),
            State::Open => Err((RejectReason::Open, self.until)),
            State::HalfOpen if self.has_place() => Ok(Grant::Probe),
            State::HalfOpen if now >= self.lease_ends() => {
                self.open(TransitionReason::LeaseExpired, now);
                Err((RejectReason::Open, self.until))
            }
            State::HalfOpen => Err((RejectReason::HalfOpenFull, None)),
        }
    }

    /// Whether a call is told to wait without having a look at what is over.
    pub(super) fn would_wait(&self, now: u64) -> bool {
        let would_wait = match self.state {
            State::Closed => false,
            State::Open => self.until.is_none_or(|until| now < until),
            State::HalfOpen => !self.has_place() && now < self.lease_ends(),
        };
        would_wait && self.mode != Mode::Shadow
    }

    /// When a probe may go through again, or the lease is over.
    pub(super) fn deadline(&self) -> Option<u64> {
        match self.state {
            State::Closed => None,
            State::Open => self.until,
            State::HalfOpen => Some(self.lease_ends()),
        }
    }

    pub(super) fn mode_at(&self, now: u64) -> Mode {
        let is_over = self.until.is_some_and(|until| now >= until);
        let is_over = is_over && self.mode == Mode::ForcedOpen;
        if is_over { Mode::Auto } else { self.mode }
    }

    fn grant(&mut self, grant: Grant, began: u64) -> (usize, Grant) {
        let (epoch, end) = (self.epoch, End::OnItsWay);
        self.calls.push(Call {
            grant,
            epoch,
            began,
            end,
        });
        (self.calls.len() - 1, grant)
    }

    pub(super) fn end(&mut self, call: usize, kind: Kind, retry_after: Option<u64>, now: u64) -> Outcome {
        let outcome = self.settle(call, kind, retry_after, now);
        self.outcomes.push(outcome);
        outcome
    }

    fn settle(&mut self, call: usize, kind: Kind, retry_after: Option<u64>, now: u64) -> Outcome {
        let Call { grant, epoch, began, .. } = self.calls[call];
        let slow = self.plan.slow.is_some_and(|(after, _)| now - began >= after);
        self.calls[call].end = End::WithoutResult;
        let is_current = epoch == self.epoch;
        if grant != Grant::Unjudged && !is_current {
            return Outcome::Stale;
        }
        if grant != Grant::Unjudged && kind != Kind::Ignored {
            let failed = kind != Kind::Success;
            if let Some(asked) = retry_after.filter(|_| failed).map(|asked| asked.min(self.plan.cap)) {
                self.asks.push(now + asked);
            }
            if grant == Grant::Counted {
                let at = now;
                self.results.push(Sample { at, epoch, kind, slow });
                self.judge(now);
            } else {
                self.calls[call].end = End::With { failed, slow };
                self.judge_probes(now);
            }
        }
        match (kind, slow) {
            (Kind::Success, false) => Outcome::Success,
            (Kind::Success, true) => Outcome::SlowSuccess,
            (Kind::Failure | Kind::SoftFailure, false) => Outcome::Failure,
            (Kind::Failure | Kind::SoftFailure, true) => Outcome::SlowFailure,
            (Kind::Timeout, _) => Outcome::Timeout,
            (Kind::Ignored, _) => Outcome::Ignored,
            (Kind::Panicked, _) => Outcome::Panicked,
        }
    }

    pub(super) fn cancel(&mut self, call: usize) {
        self.calls[call].end = End::WithoutResult;
        self.outcomes.push(Outcome::Cancelled);
    }

    // === closed ===

    /// All, failed and slow results in the window.
    pub(super) fn recent(&self, now: u64) -> (u64, u64, u64) {
        if self.state != State::Closed {
            return (0, 0, 0);
        }
        let of_now: Vec<_> = self.results.iter().filter(|sample| sample.epoch == self.epoch).collect();
        let samples: Vec<_> = match self.plan.window {
            Length::Count(size) => of_now.into_iter().rev().take(size as usize).collect(),
            Length::Time(width) => {
                let bucket = |at: u64| (at - self.since) / width;
                let is_in = |sample: &&Sample| bucket(sample.at) + 10 > bucket(now);
                of_now.into_iter().filter(is_in).collect()
            }
        };
        let failed = samples.iter().filter(|sample| sample.kind != Kind::Success).count();
        let slow = samples.iter().filter(|sample| sample.slow).count();
        (samples.len() as u64, failed as u64, slow as u64)
    }

    fn judge(&mut self, now: u64) {
        let of_now = self.results.iter().rev().filter(|sample| sample.epoch == self.epoch);
        let is_hard = |sample: &&Sample| matches!(sample.kind, Kind::Failure | Kind::Timeout | Kind::Panicked);
        let row = of_now.take_while(is_hard).count();
        let Plan {
            window,
            minimum,
            mut consecutive,
            mut failure_rate,
            slow,
            ..
        } = self.plan;
        if consecutive.is_none() && failure_rate.is_none() && slow.is_none() {
            (consecutive, failure_rate) = (Some(5), Some(0.5));
        }
        let usual = match window {
            Length::Count(size) => size.min(20),
            Length::Time(_) => 20,
        };
        let (total, failures, slow_ones) = self.recent(now);
        let is_enough = total >= u64::from(minimum.unwrap_or(usual));
        let reaches = |part: u64, rate: Option<f64>| is_enough && rate.is_some_and(|rate| part as f64 / total as f64 >= rate);
        if consecutive.is_some_and(|most| row >= most as usize) {
            self.open(TransitionReason::ConsecutiveFailures, now);
        } else if reaches(failures, failure_rate) {
            self.open(TransitionReason::FailureRate, now);
        } else if reaches(slow_ones, slow.map(|(_, rate)| rate)) {
            self.open(TransitionReason::SlowCallRate, now);
        }
    }
}
