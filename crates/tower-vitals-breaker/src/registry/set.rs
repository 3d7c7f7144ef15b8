//! Breakers by key, never more than a budget.

use std::{
    borrow::Cow,
    hash::BuildHasher,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use foldhash::fast::RandomState;
use tower_vitals_core::{LONGEST_VALUE, OTHER, label_value, table::Table};

use super::{
    events::Events,
    evict::Candidate,
    made::{Made, Maker},
};
use crate::{
    CircuitBreaker,
    machine::Change,
    metrics::Row,
    settings::Settings,
    shared::{Listener, Shared},
};

/// The breakers of a set.
pub(crate) struct Set {
    name: Box<str>,
    pub(super) maker: Maker,
    most: usize,
    pub(super) breakers: Table<Keyed>,
    hasher: RandomState,
    /// What is used from now on was used later than what was made before, even if the clock does not tell the two apart.
    epoch: AtomicU64,
    /// Held while a breaker is made or evicted, so that no key has two.
    makers: Mutex<Vec<Candidate>>,
    pub(super) evictions: AtomicU64,
    other: OnceLock<Made>,
    overflow: Box<dyn Fn() + Send + Sync>,
    made: SystemTime,
}

/// The breaker of a key.
pub(super) struct Keyed {
    pub(super) made: Made,
    pub(super) hash: u64,
    pub(super) used: AtomicU64,
}

/// Uses are noted no more often than this, so that threads that use the same key seldom write: a millisecond.
const GRAIN: u64 = 1_000_000;

// === impl Set ===

impl Set {
    pub(super) fn new(name: &str, maker: Maker, most: usize, overflow: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            name: name.into(),
            made: maker.clock.wall(maker.clock.now()),
            maker,
            most,
            breakers: Table::new(),
            hasher: RandomState::default(),
            epoch: AtomicU64::new(0),
            makers: Mutex::default(),
            evictions: AtomicU64::new(0),
            other: OnceLock::new(),
            overflow,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.maker.settings
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn len(&self) -> usize {
        self.breakers.len()
    }

    /// Takes something of the breaker of this key, which is made if there is none. A breaker of which something was taken that holds it
    /// stays.
    pub(super) fn with<R>(&self, key: &str, take: impl Fn(&CircuitBreaker) -> R) -> R {
        let key = self.clean(key);
        if key == OTHER {
            return take(self.other());
        }
        let hash = self.hasher.hash_one(&*key);
        match self.find(&key, hash, |keyed| self.take_used(keyed, &take)) {
            Some(taken) => taken,
            None => self.make(&key, hash, take),
        }
    }

    /// The breaker with this name, if there is one.
    pub(super) fn peek(&self, name: &str) -> Option<CircuitBreaker> {
        let key = name.strip_prefix(&*self.name)?.strip_prefix('/')?;
        if key == OTHER {
            return self.other.get().map(|made| made.breaker.clone());
        }
        let hash = self.hasher.hash_one(key);
        let _settled = self.makers();
        self.find(key, hash, |keyed| keyed.made.breaker.clone())
    }

    /// The breaker of all keys that have none. It judges nothing: what a stranger does must not keep others away.
    pub(super) fn other(&self) -> &CircuitBreaker {
        let made = match self.other.get() {
            Some(made) => made,
            None => {
                let made = self.other.get_or_init(|| self.make_other());
                self.maker.events.deliver();
                made
            }
        };
        &made.breaker
    }

    /// Shows the breakers and what was evicted.
    pub(super) fn add_rows(&self, rows: &mut Vec<Row>) {
        // Nothing comes and goes meanwhile.
        let _settled = self.makers();
        let slots = (0..self.breakers.end()).filter_map(|number| self.breakers.slot(number));
        rows.extend(slots.map(|keyed| keyed.made.row()));
        rows.extend(self.other.get().map(Made::row));
        rows.push(Row::Set {
            name: self.name.as_ref().to_owned(),
            evictions: self.evictions.load(Ordering::Relaxed),
            made: self.made,
        });
    }

    fn find<R>(&self, key: &str, hash: u64, take: impl FnOnce(&Keyed) -> R) -> Option<R> {
        let found = self.breakers.get(hash, |keyed| self.is(keyed, key));
        found.map(|keyed| take(&keyed))
    }

    fn is(&self, keyed: &Keyed, key: &str) -> bool {
        keyed.made.breaker.name().get(self.name.len() + 1..) == Some(key)
    }

    #[cold]
    fn make<R>(&self, key: &str, hash: u64, take: impl Fn(&CircuitBreaker) -> R) -> R {
        let made = self.find_or_make(key, hash, &take);
        self.maker.events.deliver();
        made.unwrap_or_else(|| {
            (self.overflow)();
            take(self.other())
        })
    }

    fn find_or_make<R>(&self, key: &str, hash: u64, take: impl Fn(&CircuitBreaker) -> R) -> Option<R> {
        let mut candidates = self.makers();
        if let Some(taken) = self.find(key, hash, |keyed| self.take_used(keyed, &take)) {
            return Some(taken);
        }
        if self.breakers.len() >= self.most && !self.evict(&mut candidates) {
            return None;
        }
        let used = self.now();
        let make = |_| Keyed {
            made: self.maker.make(&format!("{}/{key}", self.name)),
            hash,
            used: AtomicU64::new(used),
        };
        let made = self
            .breakers
            .get_or_insert(hash, |keyed| self.is(keyed, key), self.most, make)?;
        self.epoch.store(used + 1, Ordering::Relaxed);
        Some(take(&made.made.breaker))
    }

    fn make_other(&self) -> Made {
        let listener = Arc::new(Later {
            events: Arc::clone(&self.maker.events),
            is_heard: AtomicBool::new(false),
        });
        let made = self.maker.make_with(&format!("{}/{OTHER}", self.name), listener.clone());
        made.breaker.disable();
        listener.is_heard.store(true, Ordering::Release);
        made
    }

    fn take_used<R>(&self, keyed: &Keyed, take: impl FnOnce(&CircuitBreaker) -> R) -> R {
        let now = self.now();
        let used = keyed.used.load(Ordering::Relaxed);
        if used < self.epoch.load(Ordering::Relaxed) || now.saturating_sub(used) >= GRAIN {
            keyed.used.fetch_max(now, Ordering::Relaxed);
        }
        take(&keyed.made.breaker)
    }

    fn now(&self) -> u64 {
        self.maker.clock.nanos().max(self.epoch.load(Ordering::Relaxed))
    }

    /// The key as it stands in the label, so that keys with the same label have the same breaker.
    fn clean<'a>(&self, key: &'a str) -> Cow<'a, str> {
        let room = LONGEST_VALUE.saturating_sub(self.name.len() + 1);
        let end = |text: &str| {
            (0..=room.min(text.len()))
                .rev()
                .find(|end| text.is_char_boundary(*end))
                .unwrap_or(0)
        };
        match label_value(key) {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..end(text)]),
            Cow::Owned(mut text) => {
                text.truncate(end(&text));
                Cow::Owned(text)
            }
        }
    }

    fn makers(&self) -> MutexGuard<'_, Vec<Candidate>> {
        self.makers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens to a breaker only once it is as it should be.
struct Later {
    events: Arc<Events>,
    is_heard: AtomicBool,
}

impl Listener for Later {
    fn note(&self, shared: &Shared, change: &Change, since: SystemTime) {
        if self.is_heard.load(Ordering::Acquire) {
            self.events.note(shared, change, since);
        }
    }

    fn tell(&self) {
        if self.is_heard.load(Ordering::Acquire) {
            self.events.tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use tower_vitals_core::Vitals;

    use crate::{CircuitBreaker, CircuitBreakers, Outcome, Verdict};

    #[test]
    fn a_breaker_of_which_a_service_has_a_handle_of_its_own_stays() {
        let vitals = Vitals::new();
        let keyed = CircuitBreaker::builder("set").keyed(&vitals, 2).unwrap();
        let of_service = keyed.get("a").copies();
        for key in ["b", "c", "d"] {
            let _ = keyed.get(key);
        }
        assert_eq!(CircuitBreakers::of(&vitals).list().len(), 2);
        crate::Permit::acquire(of_service.lend()).unwrap().record(Verdict::SUCCESS);
        assert_eq!(keyed.get("a").status().calls(Outcome::Success), 1, "it is the same");
        drop(of_service);
        let _ = (keyed.get("x").name().len(), keyed.get("y").name().len());
        assert!(CircuitBreakers::of(&vitals).get("set/a").is_none());
    }
}
