use crate::{Mode, State, TransitionReason};

/// A breaker went into another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transition {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) reason: TransitionReason,
    /// The generation that begins with it.
    pub(crate) generation: u64,
    /// In nanoseconds, as the clock tells them.
    pub(crate) at: u64,
    /// Until when it will be open, if it is, and that is known.
    pub(crate) open_until: Option<u64>,
}

/// What an order or a result changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub(crate) struct Change {
    pub(crate) transition: Option<Transition>,
    /// From which mode to which.
    pub(crate) mode: Option<(Mode, Mode)>,
}

impl Change {
    pub(crate) const NONE: Self = Self {
        transition: None,
        mode: None,
    };
}

impl From<Transition> for Change {
    fn from(transition: Transition) -> Self {
        Self {
            transition: Some(transition),
            mode: None,
        }
    }
}

/// How often a breaker went from one state into another, by reason.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transitions {
    counts: [u64; POSSIBLE.len()],
}

/// All transitions there are.
pub(crate) const POSSIBLE: [(State, State, TransitionReason); 15] = {
    use State::{Closed, HalfOpen, Open};
    use TransitionReason as R;
    [
        (Closed, Open, R::ConsecutiveFailures),
        (Closed, Open, R::FailureRate),
        (Closed, Open, R::SlowCallRate),
        (Closed, Open, R::Forced),
        (Open, HalfOpen, R::OpenTimeOver),
        (Open, Closed, R::Released),
        (Open, Closed, R::Disabled),
        (Open, Closed, R::Reset),
        (HalfOpen, Open, R::ProbesFailed),
        (HalfOpen, Open, R::ProbesSlow),
        (HalfOpen, Open, R::LeaseExpired),
        (HalfOpen, Open, R::Forced),
        (HalfOpen, Closed, R::ProbesSucceeded),
        (HalfOpen, Closed, R::Disabled),
        (HalfOpen, Closed, R::Reset),
    ]
};

impl Transitions {
    pub(crate) fn count(&mut self, transition: &Transition) {
        let asked = (transition.from, transition.to, transition.reason);
        let place = POSSIBLE.iter().position(|possible| *possible == asked);
        debug_assert!(place.is_some(), "{asked:?} is not among the possible ones");
        if let Some(count) = place.and_then(|place| self.counts.get_mut(place)) {
            *count += 1;
        }
    }

    /// All transitions, and how often each was.
    pub(crate) fn each(&self) -> impl Iterator<Item = (State, State, TransitionReason, u64)> {
        let counts = POSSIBLE.iter().zip(self.counts);
        counts.map(|((from, to, reason), count)| (*from, *to, *reason, count))
    }
}
