use super::{
    Change, Ticket, Transition, Word,
    probes::{ProbeEnd, Probes},
};
use crate::{Mode, RejectReason, State, TransitionReason, settings::Settings};

/// The part of a breaker that decides. It is told what happens and when, in nanoseconds, and says what changes; it reads no clock,
/// shares nothing and knows nothing of windows.
///
/// Every transition begins a generation. What was let through in one and ends in another decides nothing.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(super) state: State,
    pub(super) mode: Mode,
    pub(super) generation: u64,
    /// When this state began.
    pub(super) since: u64,
    /// Until when it is open; for ever where there is no such time.
    pub(super) open_until: Option<u64>,
    /// How often it opened without having been healthy in between.
    pub(super) attempts: u32,
    pub(super) probes: Probes,
    /// When the last probe was let through.
    pub(super) last_probe: u64,
    /// When what is called wants to be called again at the earliest.
    pub(super) not_before: u64,
}

impl Machine {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            state: State::Closed,
            mode: Mode::Auto,
            generation: 0,
            since: now,
            open_until: None,
            attempts: 0,
            probes: Probes::default(),
            last_probe: now,
            not_before: 0,
        }
    }

    /// What calls must know.
    pub(crate) fn word(&self, settings: &Settings) -> Word {
        let is_full = self.state == State::HalfOpen && !self.probes.has_place(settings.round, &settings.semantics);
        Word::new(self.state, self.mode, (is_full, settings.is_timed()), self.generation)
    }

    /// When the lease of the probes of a half-open breaker is over.
    pub(crate) fn lease_until(&self, settings: &Settings) -> u64 {
        self.last_probe.saturating_add(settings.lease)
    }

    /// Lets a call through, or says why not.
    pub(crate) fn admit(&mut self, settings: &Settings, now: u64, random: f64) -> (Result<Ticket, RejectReason>, Change) {
        match self.state {
            _ if self.mode == Mode::Disabled => (Ok(Ticket::UNJUDGED), Change::NONE),
            State::Closed => (Ok(Ticket::counted(self.generation)), Change::NONE),
            State::Open if self.is_over(settings, now) => {
                let mode = (self.mode == Mode::ForcedOpen).then(|| self.turn(Mode::Auto)).flatten();
                let transition = self.go(State::HalfOpen, TransitionReason::OpenTimeOver, now);
                let transition = Some(transition);
                (Ok(self.probe(now)), Change { transition, mode })
            }
            State::Open if self.mode == Mode::ForcedOpen => (Err(RejectReason::ForcedOpen), Change::NONE),
            State::Open => (Err(RejectReason::Open), Change::NONE),
            State::HalfOpen if self.probes.has_place(settings.round, &settings.semantics) => (Ok(self.probe(now)), Change::NONE),
            State::HalfOpen if now >= self.lease_until(settings) => {
                let transition = self.open(settings, TransitionReason::LeaseExpired, now, random);
                (Err(RejectReason::Open), transition.into())
            }
            State::HalfOpen => (Err(RejectReason::HalfOpenFull), Change::NONE),
        }
    }

    /// A probe ended. `None` when it is from an earlier generation.
    pub(crate) fn end_probe(
        &mut self,
        settings: &Settings,
        generation: u64,
        end: (bool, bool),
        now: u64,
        random: f64,
    ) -> Option<Change> {
        if generation != self.generation {
            return None;
        }
        let (failed, slow) = end;
        let decided = self
            .probes
            .end(ProbeEnd { failed, slow }, settings.round, &settings.semantics);
        Some(match decided {
            None => Change::NONE,
            Some(TransitionReason::ProbesSucceeded) => self.close(TransitionReason::ProbesSucceeded, now).into(),
            Some(reason) => self.open(settings, reason, now, random).into(),
        })
    }

    /// A probe gave no result, so that its place is free again. `false` when it is from an earlier generation.
    pub(crate) fn take_back(&mut self, generation: u64) -> bool {
        let is_current = generation == self.generation;
        if is_current {
            self.probes.take_back();
        }
        is_current
    }

    /// Opens a closed breaker, unless it is in another generation by now.
    pub(crate) fn trip(
        &mut self,
        settings: &Settings,
        generation: u64,
        reason: TransitionReason,
        now: u64,
        random: f64,
    ) -> Option<Transition> {
        let may = generation == self.generation && self.state == State::Closed;
        may.then(|| self.open(settings, reason, now, random))
    }

    /// What is called wants to be left alone until then.
    pub(crate) fn leave_alone(&mut self, generation: u64, until: u64) {
        if generation == self.generation {
            self.not_before = self.not_before.max(until);
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// The mode at this time: a time for which it was forced open may be over.
    pub(crate) fn mode(&self, settings: &Settings, now: u64) -> Mode {
        match self.mode {
            Mode::ForcedOpen if self.is_over(settings, now) => Mode::Auto,
            mode => mode,
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn since(&self) -> u64 {
        self.since
    }

    /// Until when it is open, if it is, and that is known.
    pub(crate) fn open_until(&self) -> Option<u64> {
        self.open_until.filter(|_| self.state == State::Open)
    }

    /// How many probes are on their way.
    pub(crate) fn in_flight(&self) -> u32 {
        self.probes.in_flight
    }

    /// Whether it is open, and the open time is over.
    pub(crate) fn is_over(&self, settings: &Settings, now: u64) -> bool {
        self.open_until()
            .is_some_and(|until| settings.semantics.open_time.holds(now, until))
    }

    fn probe(&mut self, now: u64) -> Ticket {
        self.probes.in_flight += 1;
        self.last_probe = now;
        Ticket::probe(self.generation)
    }

    pub(super) fn turn(&mut self, to: Mode) -> Option<(Mode, Mode)> {
        let from = std::mem::replace(&mut self.mode, to);
        (from != to).then_some((from, to))
    }

    pub(super) fn close(&mut self, reason: TransitionReason, now: u64) -> Transition {
        self.not_before = 0;
        self.go(State::Closed, reason, now)
    }

    pub(super) fn open(&mut self, settings: &Settings, reason: TransitionReason, now: u64, random: f64) -> Transition {
        let healthy_after = u64::try_from(settings.open_for.healthy_after.as_nanos()).unwrap_or(u64::MAX);
        if self.state == State::Closed && now.saturating_sub(self.since) >= healthy_after {
            self.attempts = 0;
        }
        let wait = settings.open_for.nanos(self.attempts, random);
        let until = now.saturating_add(wait).max(self.not_before);
        self.attempts = self.attempts.saturating_add(1);
        self.not_before = 0;
        let transition = self.go(State::Open, reason, now);
        self.open_until = Some(until);
        Transition {
            open_until: Some(until),
            ..transition
        }
    }

    pub(super) fn go(&mut self, to: State, reason: TransitionReason, now: u64) -> Transition {
        let from = std::mem::replace(&mut self.state, to);
        self.generation += 1;
        self.since = now;
        self.open_until = None;
        self.probes = Probes::default();
        Transition {
            from,
            to,
            reason,
            generation: self.generation,
            at: now,
            open_until: None,
        }
    }
}
