//! What all handles, services and permits of a breaker share.

mod admit;
mod change;
mod end;
mod judge;
mod snapshot;
mod window;

use std::{fmt, sync::PoisonError, time::SystemTime};

use tower_vitals_core::Clock;

use self::window::Recent;
pub(crate) use self::{
    admit::{Refusal, UNKNOWN},
    change::Listener,
    judge::ratio,
};
use crate::{
    Mode,
    cells::Cells,
    durations::Durations,
    machine::{Machine, Transitions, Word},
    recent::Consecutive,
    settings::Settings,
    sync::{
        Arc, Mutex, MutexGuard, Sharded,
        atomic::{AtomicU64, Ordering},
    },
    waiters::Waiters,
};

/// A breaker.
///
/// A call reads one word, and no lock is taken as long as that says closed, or open and the time is not over. Transitions and probes go
/// through the machine, under a lock.
pub(crate) struct Shared {
    /// What calls read and seldom anybody writes.
    word: AtomicU64,
    /// Until when it is open; written only as an open breaker, so that it is never another state's. `u64::MAX` is for ever.
    open_until: AtomicU64,
    /// When the lease of the last probe is over; written only as a half-open breaker.
    lease_until: AtomicU64,
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

impl Shared {
    pub(crate) fn new(
        name: &str,
        settings: Settings,
        clock: Clock,
        listener: Arc<dyn Listener>,
        durations: Option<Durations>,
    ) -> Self {
        let now = clock.nanos();
        let machine = Machine::new(now);
        Self {
            word: AtomicU64::new(machine.word(&settings).bits()),
            open_until: AtomicU64::new(0),
            lease_until: AtomicU64::new(0),
            window: Recent::new(settings.window.kind, now),
            consecutive: Consecutive::new(),
            settings,
            name: name.into(),
            cells: Sharded::new(Cells::new()),
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
    #[inline]
    pub(crate) fn word(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    /// The mode at this time.
    pub(crate) fn mode(&self) -> Mode {
        self.control().machine.mode(&self.settings, self.clock.nanos())
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
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
