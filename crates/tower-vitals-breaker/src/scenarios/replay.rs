use std::{collections::HashMap, sync::Arc, time::Duration};

use tower_vitals_core::{Clock, ManualClock};

use super::{
    refusals::{Moment, Refused, refused},
    schema::{After, Config, Ended, Op, Scenario, Soft, StateOf, Step, WindowOf},
};
use crate::{
    Mode, RejectReason, State, Verdict,
    machine::{Change, Machine, Order, Purpose, Ticket},
    recent::Counts,
    shared::{Listener, Refusal, Shared},
    timing::Timing,
};

struct Nobody;

impl Listener for Nobody {
    fn note(&self, _: &Shared, _: &Change, _: std::time::SystemTime) {}

    fn tell(&self) {}
}

/// A scenario on its way.
struct Replay<'a> {
    config: &'a Config,
    shared: Shared,
    clock: ManualClock,
    /// What was let through and has not ended, and when it began.
    calls: HashMap<String, (Ticket, u64)>,
    /// The last generation in which it was closed.
    closed: u64,
    last_refusal: Option<Refusal>,
    has_unjudged: bool,
}

pub(super) type Replayed = Result<(), &'static Refused>;

impl<'a> Replay<'a> {
    fn new(config: &'a Config) -> Self {
        let clock = ManualClock::new();
        let shared = Shared::new("b", config.settings(), Clock::manual(&clock), Arc::new(Nobody), None);
        Self {
            shared: match config.lazy_window() {
                Some(window) => shared.with_lazy_window(window),
                None => shared,
            },
            config,
            clock,
            calls: HashMap::new(),
            closed: 0,
            last_refusal: None,
            has_unjudged: false,
        }
    }

    fn step(&mut self, step: &Step) -> Replayed {
        if step.op == Op::Advance {
            self.clock.advance(Duration::from_nanos(step.ns.unwrap()));
        } else {
            self.begin_interval();
        }
        self.note_generation();
        self.last_refusal = None;
        if step.op != Op::Advance || step.state.is_some() {
            self.refuse(step, None)?;
        }
        match step.op {
            Op::Call => (0..step.n.unwrap_or(1)).try_for_each(|_| self.call(step))?,
            Op::Acquire => self.acquire(step)?,
            Op::Complete => {
                let (ticket, began) = self.calls.remove(step.id.as_ref().unwrap()).expect("it began");
                let took = step.duration_ns.unwrap_or_else(|| self.now() - began);
                self.end(step, ticket, took);
            }
            Op::Drop => {
                let (ticket, _) = self.calls.remove(step.id.as_ref().unwrap()).expect("it began");
                self.shared.cancel(ticket);
            }
            Op::Force => self.force(step),
            Op::Reset => self.start_again(),
            Op::Stray => self.end(step, stray(), 0),
            Op::Advance | Op::Expect => {}
        }
        self.expect(step);
        Ok(())
    }

    fn call(&mut self, step: &Step) -> Replayed {
        self.note_generation();
        if let Some(ticket) = self.admit(step)? {
            self.end(step, ticket, step.duration_ns.unwrap_or(0));
        }
        Ok(())
    }

    fn acquire(&mut self, step: &Step) -> Replayed {
        if let Some(ticket) = self.admit(step)? {
            let name = step.id.clone().unwrap_or_else(|| format!("nobody's {}", self.calls.len()));
            let was = self.calls.insert(name, (ticket, self.now()));
            assert!(was.is_none(), "two calls of one name");
        }
        Ok(())
    }

    fn admit(&mut self, step: &Step) -> Result<Option<Ticket>, &'static Refused> {
        let admitted = self.shared.acquire().map(|(ticket, _)| ticket);
        self.last_refusal = admitted.err();
        if let Err(refusal) = admitted {
            self.refuse(step, Some(refusal.reason))?;
        }
        assert_eq!(admitted.is_ok(), step.admitted.unwrap_or(true), "admitted");
        let is_shadow = self.shared.word().mode() == Mode::Shadow;
        self.has_unjudged |= is_shadow && admitted == Ok(Ticket::UNJUDGED);
        Ok(admitted.ok())
    }

    fn end(&self, step: &Step, ticket: Ticket, took: u64) {
        let is_probe = ticket.is_probe();
        let verdict = match step.outcome.unwrap() {
            Ended::Ok => Verdict::SUCCESS,
            Ended::Err => Verdict::FAILURE,
            Ended::Ignored => Verdict::IGNORED,
            Ended::Panic => Verdict::PANICKED,
            Ended::Soft => match self.config.half_open.soft.filter(|_| is_probe).or(self.config.soft) {
                Some(Soft::Ok) => Verdict::SUCCESS,
                Some(Soft::RateOnly) | None => Verdict::SOFT_FAILURE,
                Some(Soft::Failure) => Verdict::FAILURE,
            },
        };
        self.shared.end(ticket, verdict, self.now(), Timing::that_took(took));
    }

    fn force(&self, step: &Step) {
        let settings = self.shared.settings();
        let state = self.shared.machine().state();
        if step.error {
            // There is no such order.
            assert!(
                step.to == Some(StateOf::HalfOpen) && state == State::Closed,
                "an order refused"
            );
            return;
        }
        let open = |time| {
            self.shared.change(|machine, now| machine.open_as_usual(settings, now, time));
        };
        match step.to.unwrap() {
            StateOf::Closed => self.start_again(),
            StateOf::Open => open(step.for_ns),
            StateOf::HalfOpen => {
                if state == State::Closed {
                    open(None);
                }
                if state != State::HalfOpen {
                    self.shared.change(Machine::half_open);
                }
            }
            StateOf::ForcedOpen => self.shared.order(Order::ForceOpen(step.for_ns)),
            StateOf::Disabled => self.shared.order(Order::Disable),
            // What is a mode here is a state there, and begins with nothing known.
            StateOf::MetricsOnly => {
                self.start_again();
                self.shared.order(Order::Shadow);
            }
        }
    }

    fn start_again(&self) {
        self.shared.order(Order::Release);
        self.shared.order(Order::Reset);
    }

    /// A window that tumbles is one that somebody resets. It begins again when it is first looked at after its end.
    fn begin_interval(&self) {
        let machine = self.shared.machine();
        let age = self.now() - machine.since();
        match self.config.window {
            WindowOf::Tumbling { interval_ns: 0 } => {}
            WindowOf::Tumbling { interval_ns } if machine.state() == State::Closed && age > interval_ns => {
                self.shared.order(Order::Reset);
            }
            _ => {}
        }
    }

    fn expect(&self, step: &Step) {
        if let Some(expected) = step.state {
            assert_eq!(self.state(), expected, "state");
        }
        if let Some(expected) = step.counts {
            let counts = self.counts();
            let same = |what, expected: Option<u64>, is: u64| assert_eq!(is, expected.unwrap_or(is), "{what}");
            same("total", expected.total, counts.total);
            same("failures", expected.failures, counts.failed);
            same("slow", expected.slow, counts.slow);
        }
        if let Some(expected) = step.retry_after_ns {
            let is = match self.last_refusal {
                Some(refusal) => refusal.retry_after(self.now()),
                None => self
                    .shared
                    .worth_trying_at()
                    .map(|at| at.saturating_sub(self.shared.clock().nanos())),
            };
            assert_eq!(is, Some(expected), "retry after");
        }
    }

    /// The state as the other library would name it.
    fn state(&self) -> StateOf {
        let machine = self.shared.machine();
        let now = self.now();
        let settings = self.shared.settings();
        match (machine.mode(settings, now), machine.state()) {
            (Mode::ForcedOpen, _) => StateOf::ForcedOpen,
            (Mode::Disabled, _) => StateOf::Disabled,
            (Mode::Shadow, _) => StateOf::MetricsOnly,
            (Mode::Auto, State::Closed) => StateOf::Closed,
            (Mode::Auto, State::Open) if self.config.half_opens_by_itself() && machine.is_over(settings, now) => {
                StateOf::HalfOpen
            }
            (Mode::Auto, State::Open) => StateOf::Open,
            // The next call finds it open again.
            (Mode::Auto, State::HalfOpen) if self.is_lease_over() => StateOf::Open,
            (Mode::Auto, State::HalfOpen) => StateOf::HalfOpen,
        }
    }

    /// What is judged in this state; of an open one, what opened it.
    fn counts(&self) -> Counts {
        let does_tumble = matches!(self.config.window, WindowOf::Tumbling { .. });
        match (self.shared.machine().state(), self.state()) {
            (State::Closed, _) => self.shared.snapshot().recent,
            (State::HalfOpen, _) => self.shared.machine().probe_counts(),
            (State::Open, StateOf::HalfOpen) => Counts::default(),
            (State::Open, _) if does_tumble => Counts::default(),
            (State::Open, _) => self.shared.counts_of(self.closed),
        }
    }

    fn refuse(&self, step: &Step, rejected: Option<RejectReason>) -> Replayed {
        let (machine, word) = (self.shared.machine(), self.shared.word());
        let ended = match step.op {
            Op::Complete | Op::Drop => step.id.as_ref().and_then(|id| self.calls.get(id)).map(|call| call.0),
            Op::Stray => Some(stray()),
            _ => None,
        };
        let has_waited = |most: u64| machine.state() == State::HalfOpen && self.now() - machine.since() >= most;
        let closes = self.config.half_open.after == Some(After::Closed);
        let moment = Moment {
            step,
            state: machine.state(),
            mode: word.mode(),
            is_stale: match ended.map(Ticket::purpose) {
                Some(Purpose::Counted { generation } | Purpose::Probe { generation }) => generation != word.generation(),
                Some(Purpose::Unjudged) | None => false,
            },
            is_probe: ended.is_some_and(Ticket::is_probe),
            rejected,
            waits_longer: self.config.half_open.max_wait_ns.is_some_and(has_waited) && (closes || !self.is_lease_over()),
            has_unjudged: self.has_unjudged,
        };
        refused(self.config, &moment)
    }

    fn is_lease_over(&self) -> bool {
        let machine = self.shared.machine();
        let word = self.shared.word();
        word.state() == State::HalfOpen && word.is_full() && self.now() >= machine.lease_until(self.shared.settings())
    }

    fn note_generation(&mut self) {
        let word = self.shared.word();
        if word.is_closed() {
            self.closed = word.generation();
        }
    }

    fn now(&self) -> u64 {
        self.shared.clock().nanos()
    }
}

/// Of a generation that never is.
fn stray() -> Ticket {
    Ticket::counted(u64::MAX)
}

/// Replays a scenario, up to the step that a rule decides which we refuse.
pub(super) fn replay(scenario: &Scenario) -> Replayed {
    let mut replay = Replay::new(&scenario.config);
    for (number, step) in scenario.steps.iter().enumerate() {
        let _at = Place(&scenario.id, number, step);
        replay.step(step)?;
    }
    Ok(())
}

/// Says where a panic comes from.
struct Place<'a>(&'a str, usize, &'a Step);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}, step {}: {:?}", self.0, self.1, self.2);
        }
    }
}
