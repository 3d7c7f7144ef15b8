//! What is read of a breaker at one moment.

use std::time::{Duration, SystemTime};

use super::Shared;
use crate::{Mode, State, cells::Totals, machine::Transitions, recent::Counts};

/// A breaker at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) state: State,
    pub(crate) mode: Mode,
    pub(crate) since: SystemTime,
    pub(crate) open_until: Option<SystemTime>,
    pub(crate) half_open_in_flight: u32,
    pub(crate) recent: Counts,
    pub(crate) totals: Totals,
    pub(crate) transitions: Transitions,
}

impl Shared {
    /// The breaker as it is now, in one moment but for calls that end meanwhile.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let control = self.control();
        let now = self.clock.nanos();
        let machine = &control.machine;
        let mut totals = Totals::default();
        self.cells.each(|cells| cells.add_to(&mut totals));
        let after = |nanos: u64| control.since + Duration::from_nanos(nanos.saturating_sub(machine.since()));
        let recent = match machine.state() {
            State::Closed => self.window_counts(machine.generation(), self.window.at(now)),
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
}

/// What only the replay of other breakers' tests needs.
#[cfg(all(test, not(loom)))]
impl Shared {
    /// The same with a window that no breaker of ours has.
    pub(crate) fn with_lazy_window(mut self, window: crate::recent::LazyWindow) -> Self {
        self.window = super::Recent::Lazy(window);
        self
    }

    /// The machine as it is now.
    pub(crate) fn machine(&self) -> crate::machine::Machine {
        self.control().machine.clone()
    }

    /// What the window of a generation holds, even where it is no longer judged.
    pub(crate) fn counts_of(&self, generation: u64) -> Counts {
        self.window_counts(generation, self.window.at(self.clock.nanos()))
    }
}
