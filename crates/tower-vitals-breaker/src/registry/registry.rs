use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tower_vitals_core::Vitals;

use super::{
    Event, Status, Subscription,
    difference::difference,
    events::Events,
    made::{Made, Maker},
    set::Set,
};
use crate::{
    BuildError, CircuitBreaker, CircuitBreakerBuilder, KeyedBreakers,
    metrics::{Metrics, Row},
    settings::Settings,
};

/// All breakers of a [`Vitals`]: what there is, orders by name, and what happens.
///
/// Breakers stay as long as their Vitals, but for those of keys, which make room for others.
///
/// # Example
/// ```
/// use tower_vitals_breaker::{CircuitBreaker, CircuitBreakers, Event, State};
/// use tower_vitals_core::Vitals;
///
/// let vitals = Vitals::new();
/// let breaker = CircuitBreaker::builder("payments").build(&vitals)?;
/// let breakers = CircuitBreakers::of(&vitals);
/// let subscription = breakers.subscribe(|event| println!("{event:?}"));
///
/// assert!(breakers.force_open("payments"));
/// assert_eq!(breaker.state(), State::Open);
/// assert_eq!(breakers.list()[0].state, State::Open);
/// drop(subscription);
/// # Ok::<(), tower_vitals_breaker::BuildError>(())
/// ```
#[derive(Clone)]
pub struct CircuitBreakers {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    known: Mutex<Known>,
    events: Arc<Events>,
}

#[derive(Default)]
struct Known {
    of_name: BTreeMap<String, Entry>,
    metrics: Option<Metrics>,
}

/// What a name stands for.
enum Entry {
    One(Made),
    Set(Arc<Set>),
}

// === impl CircuitBreakers ===

impl CircuitBreakers {
    /// Those of this Vitals. The Vitals is not kept.
    #[must_use]
    pub fn of(vitals: &Vitals) -> Self {
        let inner = vitals.extension(Inner::default);
        Self { inner }
    }

    /// All breakers by name, keyed ones included.
    ///
    /// # Cost
    /// It takes a lock, which calls do not need, and a moment of each breaker.
    #[must_use]
    pub fn list(&self) -> Vec<Status> {
        let mut list: Vec<_> = self.rows().into_iter().filter_map(Row::into_status).collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// The breaker of this name, which for a keyed one is that of the set, a slash and the key. None is made.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<CircuitBreaker> {
        let set = {
            let known = self.known();
            if let Some(Entry::One(made)) = known.of_name.get(name) {
                return Some(made.breaker.clone());
            }
            let is_set = |(slash, _)| match known.of_name.get(&name[..slash]) {
                Some(Entry::Set(set)) => Some(Arc::clone(set)),
                Some(Entry::One(_)) | None => None,
            };
            name.match_indices('/').find_map(is_set)?
        };
        set.peek(name)
    }

    /// Tells `hear` of every event from now on, until the subscription is dropped. It may still be running then on another thread.
    ///
    /// Events come in the order in which they happened, one at a time, on the thread that caused one of them, and no lock is held. So
    /// `hear` may call breakers, order them, and subscribe; what that causes is told after it returned. It should be quick, as the
    /// thread is that of a call: a slow one delays later events and that call, but no other. No more than 1,024 events wait; of more the
    /// oldest are dropped, and [`Event::Lost`] says how many. When it panics, that is logged, and others hear the event.
    ///
    /// `hear` is kept by the breakers, so it should not keep their Vitals.
    pub fn subscribe(&self, hear: impl Fn(&Event) + Send + Sync + 'static) -> Subscription {
        self.inner.events.subscribe(hear)
    }

    /// [Resets](CircuitBreaker::reset) the breaker of this name. `false` when there is none.
    #[allow(clippy::must_use_candidate)] // whether there is one is often known
    pub fn reset(&self, name: &str) -> bool {
        self.order(name, CircuitBreaker::reset)
    }

    /// [Forces](CircuitBreaker::force_open) the breaker of this name open. `false` when there is none.
    #[allow(clippy::must_use_candidate)]
    pub fn force_open(&self, name: &str) -> bool {
        self.order(name, CircuitBreaker::force_open)
    }

    /// [Forces](CircuitBreaker::force_open_for) the breaker of this name open for a time. `false` when there is none.
    #[allow(clippy::must_use_candidate)]
    pub fn force_open_for(&self, name: &str, time: Duration) -> bool {
        self.order(name, |breaker| breaker.force_open_for(time))
    }

    /// [Disables](CircuitBreaker::disable) the breaker of this name. `false` when there is none.
    #[allow(clippy::must_use_candidate)]
    pub fn disable(&self, name: &str) -> bool {
        self.order(name, CircuitBreaker::disable)
    }

    /// Sets the breaker of this name to [shadow mode](CircuitBreaker::shadow). `false` when there is none.
    #[allow(clippy::must_use_candidate)]
    pub fn shadow(&self, name: &str) -> bool {
        self.order(name, CircuitBreaker::shadow)
    }

    /// [Releases](CircuitBreaker::release) the breaker of this name. `false` when there is none.
    #[allow(clippy::must_use_candidate)]
    pub fn release(&self, name: &str) -> bool {
        self.order(name, CircuitBreaker::release)
    }

    fn order(&self, name: &str, order: impl FnOnce(&CircuitBreaker)) -> bool {
        self.get(name).map(|breaker| order(&breaker)).is_some()
    }

    /// The breaker of this name, which is made if there is none.
    pub(crate) fn named(&self, vitals: &Vitals, name: &str, settings: Settings) -> Result<CircuitBreaker, BuildError> {
        let mut known = self.known();
        match known.of_name.get(name) {
            Some(Entry::Set(_)) => return Err(BuildError::conflict(name, "it is one of keyed breakers there")),
            Some(Entry::One(made)) => {
                let breaker = made.breaker.clone();
                return agrees(name, breaker.shared().settings(), &settings).map(|()| breaker);
            }
            None => known.is_free(name)?,
        }
        let maker = self.maker(&mut known, vitals, name, settings)?;
        let made = maker.make(name);
        let breaker = made.breaker.clone();
        known.of_name.insert(name.to_owned(), Entry::One(made));
        drop(known);
        self.inner.events.deliver();
        Ok(breaker)
    }

    /// The set of this name, which is made if there is none.
    pub(crate) fn keyed(
        &self,
        vitals: &Vitals,
        builder: &CircuitBreakerBuilder,
        most: usize,
    ) -> Result<KeyedBreakers, BuildError> {
        let (name, settings) = (&*builder.name, builder.settings()?);
        let mut known = self.known();
        match known.of_name.get(name) {
            Some(Entry::One(_)) => return Err(BuildError::conflict(name, "it is a single breaker there")),
            Some(Entry::Set(set)) => {
                agrees(name, set.settings(), &settings)?;
                if set.most() != most {
                    let difference = format!("the budget of keys is {} there and {most} here", set.most());
                    return Err(BuildError::conflict(name, difference));
                }
                return Ok(KeyedBreakers::new(set));
            }
            None => known.is_free_for_set(name)?,
        }
        let maker = self.maker(&mut known, vitals, name, settings)?;
        let calls = known.metrics.as_ref().map_or("", Metrics::calls);
        let overflow = vitals.overflow_counter(calls, "breaker", most);
        let set = Arc::new(Set::new(name, maker, most, Box::new(overflow)));
        let keyed = KeyedBreakers::new(&set);
        known.of_name.insert(name.to_owned(), Entry::Set(set));
        Ok(keyed)
    }

    /// Registers the metrics first, if that was not done.
    fn maker(&self, known: &mut Known, vitals: &Vitals, name: &str, settings: Settings) -> Result<Maker, BuildError> {
        let metrics = match &mut known.metrics {
            Some(metrics) => metrics,
            none => {
                let breakers = self.clone();
                let metrics = Metrics::register(vitals, move || breakers.rows());
                none.insert(metrics.map_err(|error| BuildError::register(name, error))?)
            }
        };
        let durations = settings.call_durations.then(|| metrics.durations(vitals)).transpose();
        Ok(Maker {
            durations: durations.map_err(|error| BuildError::register(name, error))?,
            settings,
            clock: vitals.clock().clone(),
            events: Arc::clone(&self.inner.events),
        })
    }

    /// All that there is, as a scrape shows it.
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut sets = Vec::new();
        for entry in self.known().of_name.values() {
            match entry {
                Entry::One(made) => rows.push(made.row()),
                Entry::Set(set) => sets.push(Arc::clone(set)),
            }
        }
        for set in sets {
            set.add_rows(&mut rows);
        }
        // What a thread left that had told enough is not left for longer than this.
        self.inner.events.deliver();
        rows
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CircuitBreakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: BTreeSet<_> = self.known().of_name.keys().cloned().collect();
        f.debug_struct("CircuitBreakers")
            .field("names", &names)
            .finish_non_exhaustive()
    }
}

fn agrees(name: &str, known: &Settings, new: &Settings) -> Result<(), BuildError> {
    difference(known, new).map_or(Ok(()), |difference| Err(BuildError::conflict(name, difference)))
}

// === impl Known ===

impl Known {
    /// Whether no key of a set could make a breaker of this name.
    fn is_free(&self, name: &str) -> Result<(), BuildError> {
        let is_set = |prefix: &str| matches!(self.of_name.get(prefix), Some(Entry::Set(_)));
        let taken = name
            .match_indices('/')
            .map(|(slash, _)| &name[..slash])
            .find(|prefix| is_set(prefix));
        taken.map_or(Ok(()), |set| {
            let rule = format!("the keyed breakers `{set}` could have one of this name");
            Err(BuildError::setting(name, rule))
        })
    }

    /// Whether no breaker has, or could have, a name that a key of this set may make.
    fn is_free_for_set(&self, name: &str) -> Result<(), BuildError> {
        self.is_free(name)?;
        let prefix = format!("{name}/");
        let next = self.of_name.range(prefix.clone()..).next();
        match next.filter(|(known, _)| known.starts_with(&prefix)) {
            Some((known, _)) => {
                let rule = format!("a key could make the name of the circuit breaker `{known}`");
                Err(BuildError::setting(name, rule))
            }
            None => Ok(()),
        }
    }
}
