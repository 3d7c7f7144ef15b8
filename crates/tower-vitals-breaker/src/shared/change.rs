//! How a breaker changes, and who learns of it.

use std::time::SystemTime;

use super::{Control, Shared, UNKNOWN};
use crate::{
    State,
    machine::{Change, Machine, Order, Word},
    sync::atomic::Ordering,
};

/// Who is told what changes.
pub(crate) trait Listener: Send + Sync {
    /// Notes a change, in the order of all changes of the breaker: a lock of the breaker is held.
    fn note(&self, shared: &Shared, change: &Change, since: SystemTime);

    /// Tells of what was noted. No lock of the breaker is held.
    fn tell(&self);
}

impl Shared {
    /// Does what an operator orders.
    pub(crate) fn order(&self, order: Order) {
        self.change(|machine, now| machine.order(&self.settings, order, now));
    }

    /// Changes the machine whatever state it is in.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Machine, u64) -> Change) {
        let now = self.clock.nanos();
        let mut control = self.control();
        let change = change(&mut control.machine, now);
        self.publish(&mut control, change, now);
        drop(control);
        self.waiters.wake();
        self.tell(change);
    }

    /// Makes what the machine says now what calls read.
    pub(super) fn publish(&self, control: &mut Control, change: Change, now: u64) -> Word {
        let (was, word) = (self.word(), control.machine.word(&self.settings));
        let generation = word.generation();
        if generation != was.generation() && word.is_closed() {
            if was.is_closed() {
                // A generation of which nothing is kept, so that no result of the last one comes into the empty window.
                self.word.store(word.of_generation(generation - 1).bits(), Ordering::Release);
            }
            self.window.begin(&self.cells, now, generation);
            self.consecutive.begin(generation);
        }
        // Before the word: who reads that it is open or full reads until when, too.
        match word.state() {
            State::Closed => {}
            State::Open => {
                let until = control.machine.open_until().unwrap_or(UNKNOWN);
                self.open_until.store(until, Ordering::Release);
            }
            State::HalfOpen => {
                let until = control.machine.lease_until(&self.settings);
                self.lease_until.store(until, Ordering::Release);
            }
        }
        self.word.store(word.bits(), Ordering::Release);
        if let Some(transition) = &change.transition {
            control.since = self.clock.wall(self.clock.now());
            control.transitions.count(transition);
        }
        if change != Change::NONE {
            self.listener.note(self, &change, control.since);
        }
        word
    }

    /// Tells of a change, if it is one.
    pub(super) fn tell(&self, change: Change) {
        if change != Change::NONE {
            self.waiters.wake();
            self.listener.tell();
        }
    }
}
