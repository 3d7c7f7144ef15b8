//! What all handles, services and permits of a breaker share.

use std::{fmt, sync::PoisonError, time::SystemTime};

use tower_vitals_core::Clock;

use crate::{
    Outcome, RejectReason, State, TransitionReason,
    cells::{Cells, Totals},
    durations::Durations,
    machine::{Change, Machine, Ticket, Transitions, Word},
    recent::{Consecutive, CountWindow, Counts, Mark, TimeWindow},
    settings::{Judged, Settings, WindowKind},
    sync::{
        Arc, Mutex, MutexGuard, Sharded,
        atomic::{AtomicU64, Ordering},
    },
    verdict::{Kind, Verdict},
    waiters::Waiters,
};

/// A breaker.
///
/// A call reads one word, and no lock is taken as long as that says closed, or open and the time is not over. Transitions and probes go
/// through the machine, under a lock.
pub(crate) struct Shared {
    /// What calls read and seldom anybody writes.
    word: AtomicU64,
    deadline: AtomicU64,
    window: Recent,
    consecutive: Consecutive,
    settings: Settings,
    name: Box<str>,
    clock: Clock,
    cells: Sharded<Cells>,
    control: Mutex<Control>,
    waiters: Waiters,
    listener: Arc<dyn Listener>,
    durations: Option<Durations>,
}

/// What only transitions and probes need.
struct Control {
    machine: Machine,
    transitions: Transitions,
    /// The wall time at which this state began.
    since: SystemTime,
}

/// Which results are judged.
enum Recent {
    Time(TimeWindow),
    Count(CountWindow),
    #[cfg(all(test, not(loom)))]
    Lazy(crate::recent::LazyWindow),
}

/// Who is told what changes.
pub(crate) trait Listener: Send + Sync {
    /// Notes a change, in the order of all changes of the breaker: a lock of the breaker is held.
    fn note(&self, shared: &Shared, change: &Change, since: SystemTime);

    /// Tells of what was noted. No lock of the breaker is held.
    fn tell(&self);
}

/// Why a call is not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: RejectReason,
    /// In how many nanoseconds a probe may go through, if that is known.
    pub(crate) retry_after: Option<u64>,
}

/// A breaker at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) state: State,
    pub(crate) mode: crate::Mode,
    pub(crate) since: SystemTime,
    pub(crate) open_until: Option<SystemTime>,
    pub(crate) half_open_in_flight: u32,
    pub(crate) recent: Counts,
    pub(crate) totals: Totals,
    pub(crate) transitions: Transitions,
}

impl Shared {
    pub(crate) fn new(
        name: &str,
        settings: Settings,
        clock: Clock,
        listener: Arc<dyn Listener>,
        durations: Option<Durations>,
    ) -> Self {
        let now = clock.nanos();
        let (window, buckets) = match settings.window.kind {
            WindowKind::Time { bucket, buckets } => (Recent::Time(TimeWindow::new(bucket, buckets, now)), buckets),
            WindowKind::Count { size } => (Recent::Count(CountWindow::new(size)), 0),
        };
        let machine = Machine::new(now);
        Self {
            word: AtomicU64::new(machine.word(&settings).bits()),
            deadline: AtomicU64::new(0),
            window,
            consecutive: Consecutive::new(),
            settings,
            name: name.into(),
            cells: Sharded::new(Cells::new(buckets)),
            control: Mutex::new(Control {
                machine,
                transitions: Transitions::default(),
                since: clock.wall(clock.now()),
            }),
            clock,
            waiters: Waiters::new(),
            listener,
            durations,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    /// What calls know of it.
    pub(crate) fn word(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    /// Lets a call through, or says why not. Counts what is rejected, or would be.
    #[inline]
    pub(crate) fn acquire(&self) -> Result<Ticket, Refusal> {
        let word = self.word();
        if word.is_closed() {
            return Ok(word.ticket_of_closed());
        }
        self.acquire_of_open(word)
    }

    #[inline(never)]
    fn acquire_of_open(&self, word: Word) -> Result<Ticket, Refusal> {
        let now = self.clock.nanos();
        let refused = match self.peek(word, now) {
            Some(reason) => Err((reason, word)),
            None => self.admit(now),
        };
        let (reason, word) = match refused {
            Ok(ticket) => return Ok(ticket),
            Err(refused) => refused,
        };
        if word.mode() == crate::Mode::Shadow {
            self.cells.mine().would_reject(reason);
            return Ok(Ticket::Unjudged);
        }
        self.cells.mine().reject(reason);
        let deadline = self.deadline.load(Ordering::Acquire);
        let is_known = reason != RejectReason::HalfOpenFull && deadline != u64::MAX;
        let retry_after = is_known.then(|| deadline.saturating_sub(now));
        Err(Refusal { reason, retry_after })
    }

    /// Why a call would be rejected without a look at the machine.
    #[inline]
    fn peek(&self, word: Word, now: u64) -> Option<RejectReason> {
        let is_before = || now < self.deadline.load(Ordering::Acquire);
        match word.state() {
            State::Open if is_before() => Some(word.reason_of_open()),
            State::HalfOpen if word.is_full() && is_before() => Some(RejectReason::HalfOpenFull),
            State::Closed | State::Open | State::HalfOpen => None,
        }
    }

    /// Whether a call would be rejected now. Nothing is counted or taken.
    pub(crate) fn would_reject(&self) -> bool {
        let word = self.word();
        !word.is_closed() && word.mode() != crate::Mode::Shadow && self.peek(word, self.clock.nanos()).is_some()
    }

    /// The time of the clock from which a call that would be rejected now is worth another try; none when only an order changes it.
    pub(crate) fn worth_trying_at(&self) -> Option<u64> {
        let deadline = self.deadline.load(Ordering::Acquire);
        (deadline != u64::MAX).then_some(deadline)
    }

    #[cold]
    fn admit(&self, now: u64) -> Result<Ticket, (RejectReason, Word)> {
        let mut control = self.control();
        let (admitted, change) = control.machine.admit(&self.settings, now, fastrand::f64());
        let word = self.publish(&mut control, change, now);
        drop(control);
        self.tell(change);
        admitted.map_err(|reason| (reason, word))
    }

    /// Whether the beginning of a call must be timed.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.settings.slow.is_some() || self.settings.call_durations
    }

    /// A call that was let through ended. `took` is how long it took in nanoseconds, where calls are timed.
    #[inline]
    pub(crate) fn end(&self, ticket: Ticket, verdict: Verdict, now: u64, took: Option<u64>) -> Outcome {
        let is_slow = match (self.settings.slow, took) {
            (Some(slow), Some(took)) => self.settings.semantics.slow.holds(took, slow.after),
            _ => false,
        };
        let outcome = match ticket {
            Ticket::Counted { generation } => return self.end_counted(generation, verdict, now, is_slow),
            Ticket::Probe { generation } => self.end_probe(generation, verdict, now, is_slow),
            Ticket::Unjudged => verdict.outcome(is_slow),
        };
        self.cells.mine().count(outcome);
        outcome
    }

    #[inline]
    fn end_counted(&self, generation: u64, verdict: Verdict, now: u64, is_slow: bool) -> Outcome {
        // The shift before the word: see `TimeWindow::shift`.
        let shift = self.window.shift();
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
        let is_suspect = match &self.window {
            Recent::Time(window) => window.record(&cells.ring, window.number(now, shift), mark),
            Recent::Count(window) => window.record(generation, mark),
            #[cfg(all(test, not(loom)))]
            Recent::Lazy(window) => window.record(now, mark),
        };
        if matches!(kind, Kind::Success | Kind::SoftFailure) {
            self.consecutive.succeed(generation);
        }
        if is_suspect {
            self.judge(generation, verdict, mark, (now, shift));
        }
        outcome
    }

    /// Looks whether the results are bad enough to open.
    #[cold]
    #[inline(never)]
    fn judge(&self, generation: u64, verdict: Verdict, mark: Mark, (now, shift): (u64, u64)) {
        let is_hard = matches!(verdict.kind(), Kind::Failure | Kind::Timeout | Kind::Panicked);
        let row = if is_hard { self.consecutive.fail(generation) } else { 0 };
        if let Some(until) = self.asks_until(verdict, now) {
            self.control().machine.leave_alone(generation, until);
        }
        if self.settings.semantics.judged == Judged::Failures && !mark.is_trouble() {
            return;
        }
        if let Some(reason) = self.reason(generation, row, (now, shift)) {
            self.trip(generation, reason, now);
        }
    }

    /// Until when what was called asks to be left alone.
    fn asks_until(&self, verdict: Verdict, now: u64) -> Option<u64> {
        let asked = u64::try_from(verdict.retry_after()?.as_nanos()).unwrap_or(u64::MAX);
        let heard = asked.min(self.settings.retry_after_cap);
        (heard > 0 && verdict.is_failure()).then(|| now.saturating_add(heard))
    }

    /// The reason for which a closed breaker is to open, if there is one.
    fn reason(&self, generation: u64, row: u32, (now, shift): (u64, u64)) -> Option<TransitionReason> {
        let trip = self.settings.trip;
        if trip.consecutive.is_some_and(|most| row >= most) {
            return Some(TransitionReason::ConsecutiveFailures);
        }
        let counts = self.window_counts(generation, now, shift);
        if trip.failures.is_some_and(|most| counts.failed >= most) {
            return Some(TransitionReason::FailureRate);
        }
        let semantics = self.settings.semantics;
        if counts.total < self.settings.minimum || counts.total == 0 || (semantics.full_before && !counts.was_full) {
            return None;
        }
        let reaches =
            |part: u64, rate: Option<f64>| rate.is_some_and(|rate| semantics.rate.holds(ratio(part, counts.total), rate));
        if reaches(counts.failed, trip.failure_rate) {
            Some(TransitionReason::FailureRate)
        } else if reaches(counts.slow, trip.slow_rate) {
            Some(TransitionReason::SlowCallRate)
        } else {
            None
        }
    }

    fn window_counts(&self, generation: u64, now: u64, shift: u64) -> Counts {
        match &self.window {
            Recent::Count(window) => window.counts(generation),
            #[cfg(all(test, not(loom)))]
            Recent::Lazy(window) => window.counts(now),
            Recent::Time(window) => {
                let number = window.number(now, shift);
                let mut counts = Counts::default();
                self.cells.each(|cells| window.add_up(&cells.ring, number, &mut counts));
                counts.failed = counts.failed.min(counts.total);
                counts.slow = counts.slow.min(counts.total);
                counts
            }
        }
    }

    #[cold]
    fn trip(&self, generation: u64, reason: TransitionReason, now: u64) {
        let mut control = self.control();
        let tripped = control.machine.trip(&self.settings, generation, reason, now, fastrand::f64());
        let change = tripped.map_or(Change::NONE, Change::from);
        self.publish(&mut control, change, now);
        drop(control);
        self.tell(change);
    }

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
        self.publish(&mut control, ended.unwrap_or(Change::NONE), now);
        drop(control);
        self.settled(ended);
        if ended.is_some() {
            verdict.outcome(is_slow)
        } else {
            Outcome::Stale
        }
    }

    /// Records how long a call took, if that is wanted.
    #[inline]
    pub(crate) fn observe(&self, outcome: Outcome, took: Option<u64>) {
        if let (Some(durations), Some(took)) = (&self.durations, took) {
            durations.observe(outcome, took);
        }
    }

    /// Whoever waited for a call went away.
    pub(crate) fn cancel(&self, ticket: Ticket) {
        if let Ticket::Probe { generation } = ticket {
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
        self.cells.mine().count(Outcome::Cancelled);
    }

    /// Has the machine change as an operator orders.
    pub(crate) fn order(&self, order: impl FnOnce(&mut Machine, u64) -> Change) {
        let now = self.clock.nanos();
        let mut control = self.control();
        let change = order(&mut control.machine, now);
        self.publish(&mut control, change, now);
        drop(control);
        self.waiters.wake();
        self.tell(change);
    }

    /// Makes what the machine says now what calls read.
    fn publish(&self, control: &mut Control, change: Change, now: u64) -> Word {
        let (was, word) = (self.word(), control.machine.word(&self.settings));
        let generation = word.generation();
        if generation != was.generation() {
            control.since = self.clock.wall(self.clock.now());
            if word.is_closed() {
                if was.is_closed() {
                    // A generation in which nothing is recorded, so that no result of the last one comes into the empty window.
                    self.word.store(word.of_generation(generation - 1).bits(), Ordering::Release);
                }
                self.window.begin(now, generation);
                self.consecutive.begin(generation);
            }
        }
        self.deadline
            .store(control.machine.deadline(&self.settings), Ordering::Release);
        self.word.store(word.bits(), Ordering::Release);
        if let Some(transition) = &change.transition {
            control.transitions.count(transition);
        }
        if change != Change::NONE {
            self.listener.note(self, &change, control.since);
        }
        word
    }

    /// After a probe ended: a place may be free.
    fn settled(&self, ended: Option<Change>) {
        if let Some(change) = ended {
            self.waiters.wake();
            self.tell(change);
        }
    }

    fn tell(&self, change: Change) {
        if change != Change::NONE {
            self.waiters.wake();
            self.listener.tell();
        }
    }

    /// The breaker as it is now, in one moment but for calls that end meanwhile.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let control = self.control();
        let now = self.clock.nanos();
        let machine = &control.machine;
        let mut totals = Totals::default();
        self.cells.each(|cells| cells.add_to(&mut totals));
        let after = |nanos: u64| control.since + std::time::Duration::from_nanos(nanos.saturating_sub(machine.since()));
        let recent = match machine.state() {
            State::Closed => self.window_counts(machine.generation(), now, self.window.shift()),
            State::Open | State::HalfOpen => Counts::default(),
        };
        Snapshot {
            state: machine.state(),
            mode: machine.mode(&self.settings, now),
            since: control.since,
            open_until: machine.open_until().map(after),
            half_open_in_flight: machine.in_flight(),
            recent,
            totals,
            transitions: control.transitions.clone(),
        }
    }

    /// Rejects a call that nothing is ready for, and counts it. No place is taken, whether or not there is one by now.
    pub(crate) fn refuse(&self) -> Refusal {
        let now = self.clock.nanos();
        let rejects = self.peek(self.word(), now);
        let reason = rejects.unwrap_or(RejectReason::Open);
        self.cells.mine().reject(reason);
        let deadline = self.deadline.load(Ordering::Acquire);
        let retry_after = match rejects {
            None => Some(0),
            Some(RejectReason::HalfOpenFull) => None,
            Some(_) => (deadline != u64::MAX).then(|| deadline.saturating_sub(now)),
        };
        Refusal { reason, retry_after }
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What only the replay of other breakers' tests needs.
#[cfg(all(test, not(loom)))]
impl Shared {
    /// The same with a window that no breaker of ours has.
    pub(crate) fn with_lazy_window(mut self, window: crate::recent::LazyWindow) -> Self {
        self.window = Recent::Lazy(window);
        self
    }

    /// The machine as it is now.
    pub(crate) fn machine(&self) -> Machine {
        self.control().machine.clone()
    }

    /// What the window of a generation holds, even where it is no longer judged.
    pub(crate) fn counts_of(&self, generation: u64) -> Counts {
        self.window_counts(generation, self.clock.nanos(), self.window.shift())
    }
}

impl Recent {
    fn shift(&self) -> u64 {
        match self {
            Self::Time(window) => window.shift(),
            Self::Count(_) => 0,
            #[cfg(all(test, not(loom)))]
            Self::Lazy(_) => 0,
        }
    }

    fn begin(&self, now: u64, generation: u64) {
        match self {
            Self::Time(window) => window.begin(now),
            Self::Count(window) => window.begin(generation),
            #[cfg(all(test, not(loom)))]
            Self::Lazy(window) => window.begin(),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word();
        f.debug_struct("CircuitBreaker")
            .field("name", &self.name)
            .field("state", &word.state())
            .field("mode", &word.mode())
            .finish_non_exhaustive()
    }
}

/// How large a part is of a whole.
#[allow(clippy::cast_precision_loss)] // both are below 2^53 by far
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
