use std::time::SystemTime;

use crate::{
    CircuitBreaker, Mode, Outcome, RejectReason, State, TransitionReason, cells::Totals, machine::Transitions, shared::Shared,
    shared::ratio,
};

/// A breaker at one moment. Calls that end at that moment may be counted or not.
///
/// # Example
/// ```
/// use tower_vitals_breaker::{CircuitBreaker, Outcome, State};
/// use tower_vitals_core::Vitals;
///
/// let breaker = CircuitBreaker::builder("payments").build(&Vitals::new())?;
/// breaker.try_acquire().unwrap().record_result(&Ok::<_, ()>(1));
/// let status = breaker.status();
/// assert_eq!(status.state, State::Closed);
/// assert_eq!(status.calls(Outcome::Success), 1);
/// # Ok::<(), tower_vitals_breaker::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The name: the label `breaker`.
    pub name: String,
    /// The state. A breaker whose open time is over is open until somebody calls.
    pub state: State,
    /// Who decides what it does.
    pub mode: Mode,
    /// When this state began.
    pub since: SystemTime,
    /// Until when it is open: none when it is not, or when only an order ends it.
    pub open_until: Option<SystemTime>,
    /// How many calls the window has. It is empty unless the breaker is closed.
    pub window_calls: u64,
    /// How many of those failed.
    pub window_failed: u64,
    /// How many of those were slow.
    pub window_slow: u64,
    /// Which part of the calls in the window failed: none below the minimum of calls.
    pub failure_ratio: Option<f64>,
    /// Which part of the calls in the window was slow: none below the minimum of calls, and where no call is slow by the settings.
    pub slow_ratio: Option<f64>,
    /// How many probes are on their way.
    pub half_open_in_flight: u32,
    totals: Totals,
    transitions: Transitions,
}

impl Status {
    pub(crate) fn of(shared: &Shared) -> Self {
        let snapshot = shared.snapshot();
        let settings = shared.settings();
        let recent = snapshot.recent;
        let is_judged = recent.total >= settings.minimum && recent.total > 0;
        let part = |part: u64| is_judged.then(|| ratio(part, recent.total));
        Self {
            name: shared.name().to_owned(),
            state: snapshot.state,
            mode: snapshot.mode,
            since: snapshot.since,
            open_until: snapshot.open_until,
            window_calls: recent.total,
            window_failed: recent.failed,
            window_slow: recent.slow,
            failure_ratio: part(recent.failed),
            slow_ratio: settings.slow.and_then(|_| part(recent.slow)),
            half_open_in_flight: snapshot.half_open_in_flight,
            totals: snapshot.totals,
            transitions: snapshot.transitions,
        }
    }

    /// How many calls that were let through ended so, since the breaker was made.
    #[must_use]
    pub fn calls(&self, outcome: Outcome) -> u64 {
        self.totals.calls(outcome)
    }

    /// How many calls were rejected for this reason.
    #[must_use]
    pub fn rejected(&self, reason: RejectReason) -> u64 {
        self.totals.rejected(reason)
    }

    /// How many calls would have been rejected for this reason, but for [shadow mode](CircuitBreaker::shadow).
    #[must_use]
    pub fn would_reject(&self, reason: RejectReason) -> u64 {
        self.totals.would_reject(reason)
    }

    /// How often it went into another state.
    #[must_use]
    pub fn transitions(&self) -> u64 {
        self.each_transition().map(|(_, _, _, count)| count).sum()
    }

    /// All transitions there can be, and how often each was.
    pub(crate) fn each_transition(&self) -> impl Iterator<Item = (State, State, TransitionReason, u64)> {
        self.transitions.each()
    }
}

impl CircuitBreaker {
    /// All that is known of it at this moment.
    ///
    /// # Cost
    /// It takes the lock of transitions for a moment, and adds up what the threads counted.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(self.shared())
    }
}
