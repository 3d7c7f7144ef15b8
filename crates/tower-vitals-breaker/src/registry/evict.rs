//! Which breakers of a set make room for those of new keys.

use std::{
    cmp::Reverse,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use super::{
    Event,
    made::Made,
    set::{Keyed, Set},
};
use crate::{CircuitBreaker, Mode, durations, shared::Shared};

/// A breaker that may go unless it is used meanwhile.
pub(super) struct Candidate {
    number: usize,
    used: u64,
}

impl Set {
    /// Lets the least recently used of the breakers go that may. `false` when none may.
    pub(super) fn evict(&self, candidates: &mut Vec<Candidate>) -> bool {
        if self.evict_one_of(candidates) {
            return true;
        }
        *candidates = self.candidates();
        self.evict_one_of(candidates)
    }

    fn evict_one_of(&self, candidates: &mut Vec<Candidate>) -> bool {
        while let Some(candidate) = candidates.pop() {
            if self.evict_candidate(&candidate) {
                return true;
            }
        }
        false
    }

    /// All that may go now, the least recently used last. As long as one of them is not used, nothing else becomes less recently used
    /// than it, so the list serves until it is used up.
    fn candidates(&self) -> Vec<Candidate> {
        let candidate = |number| {
            let keyed = self.breakers.slot(number).filter(|keyed| keyed.may_go())?;
            let used = keyed.used.load(Ordering::Relaxed);
            Some(Candidate { number, used })
        };
        let mut candidates: Vec<_> = (0..self.breakers.end()).filter_map(candidate).collect();
        candidates.sort_by_key(|candidate| Reverse((candidate.used, candidate.number)));
        candidates
    }

    fn evict_candidate(&self, candidate: &Candidate) -> bool {
        let may_go = |keyed: &Keyed| keyed.used.load(Ordering::Relaxed) == candidate.used && keyed.may_go();
        let taken = self.breakers.take_slot(candidate.number, |keyed| keyed.hash, may_go);
        let Some(Keyed { made, hash, used }) = taken else {
            return false;
        };
        let Made { breaker, at } = made;
        let shared = Arc::clone(breaker.shared());
        drop(breaker);
        if Arc::strong_count(&shared) > 1 {
            // A service has a handle of its own. Who misses the breaker meanwhile waits for its maker's lock, which we hold.
            self.put_back(shared, at, hash, used);
            return false;
        }
        let breaker: Arc<str> = shared.name().into();
        // Its handles to series go first, because what is held stays.
        drop(shared);
        if let Some(family) = &self.maker.durations {
            durations::remove(family, &breaker);
        }
        self.evictions.fetch_add(1, Ordering::Relaxed);
        let at = self.maker.clock.wall(self.maker.clock.now());
        self.maker.events.push(Event::Evicted { breaker, at });
        true
    }

    fn put_back(&self, shared: Arc<Shared>, at: SystemTime, hash: u64, used: AtomicU64) {
        let name = shared.name().to_owned();
        let breaker = CircuitBreaker::of(shared);
        let made = Made { breaker, at };
        let is = |keyed: &Keyed| keyed.made.breaker.name() == name;
        let put = self
            .breakers
            .get_or_insert(hash, is, usize::MAX, |_| Keyed { made, hash, used });
        debug_assert!(put.is_some(), "there is room without limit");
    }
}

impl Keyed {
    /// Whether nobody would miss it: it is closed, nobody gave it an order, and nobody holds it, as a call in flight does.
    fn may_go(&self) -> bool {
        let word = self.made.breaker.shared().word();
        word.is_closed() && word.mode() == Mode::Auto && !self.made.breaker.is_held()
    }
}
