//! Everything that is measured, by name.

#[cfg(feature = "rival-breakers")]
use super::rivals::{failsafe, recloser, tower_resilience};
use super::{
    bare,
    call::{self, State},
    ours,
};
use crate::{
    Result,
    pairs::{self, Work},
};

/// Something to measure.
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// Makes a breaker in that state, and what calls through it on each of some threads.
    make: fn(State, usize) -> Vec<Work>,
    /// Whether it is timed in that state on that many threads.
    pub(super) is_timed: fn(State, usize) -> bool,
}

/// An entry in a state of its breaker.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) entry: &'static Entry,
    pub(super) state: State,
}

/// The breaker that all of this is about: names of its entries begin with this.
pub(super) const OURS: &str = "tower-vitals";

/// The breaker whose metrics are a feature: names of its entries begin with this.
pub(super) const RESILIENCE: &str = "tower-resilience-circuitbreaker";

/// The packages whose versions matter.
pub(super) const PACKAGES: &[&str] = &[
    "tower",
    #[cfg(feature = "rival-breakers")]
    RESILIENCE,
    #[cfg(feature = "rival-breakers")]
    "failsafe",
    #[cfg(feature = "rival-breakers")]
    "recloser",
    #[cfg(feature = "rivals")]
    "metrics",
    #[cfg(feature = "rivals")]
    "metrics-exporter-prometheus",
];

const ALWAYS: fn(State, usize) -> bool = |_, _| true;

/// Entries that are called alike. The first has no breaker, and the others add to it.
pub(super) struct Block(&'static [Entry]);

/// Tower services, futures, and functions.
pub(super) const BLOCKS: [Block; 3] = [Block(SERVICES), Block(FUTURES), Block(FUNCTIONS)];

/// The entry of that name, in that state.
pub(super) fn find(name: &str, state: &str) -> Result<Case> {
    let mut entries = BLOCKS.iter().flat_map(|block| block.0);
    let entry = entries.find(|known| known.name == name);
    let state = State::ALL.into_iter().find(|known| known.name() == state);
    match (entry, state) {
        (Some(entry), Some(state)) => Ok(Case { entry, state }),
        _ => Err(format!("no entry {name:?} that is {state:?}").into()),
    }
}

impl Block {
    /// What the others add to.
    pub(super) fn base(&self) -> Case {
        Case {
            entry: &self.0[0],
            state: State::Closed,
        }
    }

    /// What has a breaker.
    pub(super) fn breakers(&self) -> impl Iterator<Item = &'static Entry> {
        self.0[1..].iter()
    }
}

impl pairs::Entry for Case {
    fn work_on(&self, threads: usize) -> Vec<Work> {
        (self.entry.make)(self.state, threads)
    }
}

const SERVICES: &[Entry] = &[
    Entry {
        name: "bare service",
        make: |state, threads| call::through(bare::service(), state, threads),
        is_timed: ALWAYS,
    },
    Entry {
        name: OURS,
        make: |state, threads| call::through(ours::service(), state, threads),
        is_timed: ALWAYS,
    },
    Entry {
        name: "tower-vitals, count window",
        make: |state, threads| call::through(ours::count_window(), state, threads),
        is_timed: ALWAYS,
    },
    #[cfg(feature = "rival-breakers")]
    Entry {
        name: RESILIENCE,
        make: |state, threads| call::through(tower_resilience::count_window(), state, threads),
        is_timed: tower_resilience::does_not_sleep,
    },
    #[cfg(feature = "rival-breakers")]
    Entry {
        name: "tower-resilience-circuitbreaker, time window",
        make: |state, threads| call::through(tower_resilience::time_window(), state, threads),
        is_timed: tower_resilience::repeats,
    },
];

const FUTURES: &[Entry] = &[
    Entry {
        name: "bare future",
        make: |state, threads| call::through(bare::future(), state, threads),
        is_timed: ALWAYS,
    },
    Entry {
        name: "tower-vitals, future",
        make: |state, threads| call::through(ours::future(), state, threads),
        is_timed: ALWAYS,
    },
    #[cfg(feature = "rival-breakers")]
    Entry {
        name: "failsafe",
        make: |state, threads| call::through(failsafe::future(), state, threads),
        is_timed: ALWAYS,
    },
    #[cfg(feature = "rival-breakers")]
    Entry {
        name: "recloser",
        make: |state, threads| call::through(recloser::future(), state, threads),
        is_timed: ALWAYS,
    },
];

const FUNCTIONS: &[Entry] = &[
    Entry {
        name: "bare function",
        make: |state, threads| call::through(bare::function(), state, threads),
        is_timed: ALWAYS,
    },
    Entry {
        name: "tower-vitals, permit",
        make: |state, threads| call::through(ours::permit(), state, threads),
        is_timed: ALWAYS,
    },
    #[cfg(feature = "rival-breakers")]
    Entry {
        name: "failsafe, function",
        make: |state, threads| call::through(failsafe::function(), state, threads),
        is_timed: ALWAYS,
    },
    #[cfg(feature = "rival-breakers")]
    Entry {
        name: "recloser, function",
        make: |state, threads| call::through(recloser::function(), state, threads),
        is_timed: ALWAYS,
    },
];
