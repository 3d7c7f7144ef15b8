use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    Mode, State, TransitionReason,
    machine::{Change, Transition},
    shared::Shared,
};

/// What happened to a breaker: what [`CircuitBreakers::subscribe`](crate::CircuitBreakers::subscribe) tells.
///
/// An order that changes neither state nor mode is none: a reset of a closed breaker, or another time for one that is forced open.
///
/// Times are those of the clock of the breakers' Vitals.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A breaker was made.
    #[non_exhaustive]
    Created {
        /// Its name.
        breaker: Arc<str>,
        /// When.
        at: SystemTime,
    },
    /// A breaker went into another state.
    #[non_exhaustive]
    Transition {
        /// Its name.
        breaker: Arc<str>,
        /// The state in which it was.
        from: State,
        /// The state in which it is.
        to: State,
        /// Why.
        reason: TransitionReason,
        /// When.
        at: SystemTime,
        /// Until when it is open: none when it is not, or when only an order ends it.
        open_until: Option<SystemTime>,
        /// Rises with each transition of the breaker.
        generation: u64,
    },
    /// An operator ordered another mode, or the time was over for which a breaker was forced open.
    #[non_exhaustive]
    ModeChange {
        /// Its name.
        breaker: Arc<str>,
        /// The mode in which it was.
        from: Mode,
        /// The mode in which it is.
        to: Mode,
        /// When.
        at: SystemTime,
    },
    /// A keyed breaker made room for that of another key.
    #[non_exhaustive]
    Evicted {
        /// Its name.
        breaker: Arc<str>,
        /// When.
        at: SystemTime,
    },
    /// Events were dropped because subscribers took too long: so many, all before the next event.
    #[non_exhaustive]
    Lost {
        /// How many.
        count: u64,
    },
}

impl Event {
    /// The name of the breaker; none where it is not about a single one.
    #[must_use]
    pub fn breaker(&self) -> Option<&str> {
        match self {
            Self::Created { breaker, .. }
            | Self::Transition { breaker, .. }
            | Self::ModeChange { breaker, .. }
            | Self::Evicted { breaker, .. } => Some(breaker),
            Self::Lost { .. } => None,
        }
    }

    /// What a change is to subscribers: the mode first, because it is why the state changed. `since` is when the present state began.
    pub(super) fn of_change(shared: &Shared, change: &Change, since: SystemTime) -> impl Iterator<Item = Self> {
        let breaker: Arc<str> = shared.name().into();
        let at = || match change.transition {
            Some(_) => since,
            None => shared.clock().wall(shared.clock().now()),
        };
        let mode = change.mode.map(|(from, to)| Self::ModeChange {
            breaker: Arc::clone(&breaker),
            from,
            to,
            at: at(),
        });
        let transition = change
            .transition
            .map(|transition| Self::of_transition(breaker, transition, since));
        mode.into_iter().chain(transition)
    }

    fn of_transition(breaker: Arc<str>, transition: Transition, at: SystemTime) -> Self {
        let after = |until: u64| at.checked_add(Duration::from_nanos(until.saturating_sub(transition.at)));
        Self::Transition {
            breaker,
            from: transition.from,
            to: transition.to,
            reason: transition.reason,
            at,
            open_until: transition.open_until.and_then(after),
            generation: transition.generation,
        }
    }

    /// Writes a line for a change: what opens is a warning.
    pub(super) fn trace(&self) {
        use tower_vitals_core::ClosedLabel;
        match self {
            Self::Transition {
                breaker,
                from,
                to,
                reason,
                ..
            } => {
                let (breaker, from, to, reason) = (&**breaker, from.as_str(), to.as_str(), reason.as_str());
                if to == State::Open.as_str() {
                    tracing::warn!(breaker, from, to, reason, "circuit breaker opened");
                } else {
                    tracing::info!(breaker, from, to, reason, "circuit breaker changed its state");
                }
            }
            Self::ModeChange { breaker, from, to, .. } => {
                let (breaker, from, to) = (&**breaker, from.as_str(), to.as_str());
                tracing::info!(breaker, from, to, "circuit breaker changed its mode");
            }
            Self::Lost { count } => tracing::warn!(count, "events of circuit breakers were lost: a subscriber is too slow"),
            Self::Created { .. } | Self::Evicted { .. } => {}
        }
    }
}
