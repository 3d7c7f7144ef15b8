use std::{fmt, sync::Arc};

use tower_vitals_core::{Vitals, spread::Lent};

use super::set::Set;
use crate::{BuildError, CircuitBreaker, CircuitBreakerBuilder, CircuitBreakers, Permit, Rejected, shared::Shared};

/// A breaker for each key, such as each host that is called: what [`CircuitBreakerBuilder::keyed`] gives.
///
/// A breaker is made when its key comes first. Its name, and its label `breaker`, is that of the set, a slash and the key; NUL in a key
/// becomes U+FFFD, and the name is cut to 1,024 bytes.
///
/// Calls ask for it by [`try_acquire`](Self::try_acquire) and [`get`](Self::get), and layers by a function of the request: [`by`](Self::by).
///
/// # Budget
/// When as many keys have breakers as may, the breaker of a new key takes the place of the one that was used least recently. It goes with
/// all its series, and if its key comes back, it starts anew and at 0. Only a closed breaker goes to which nobody gave an order, of which
/// nobody holds a clone and that has no calls in flight. If there is none, the new key gets the set's breaker `_other`, which is
/// disabled: it lets everything through and judges nothing, because what one key does must not keep away others. That is counted in
/// `vitals_label_overflow_total`.
///
/// Clones share their breakers.
///
/// # Cost
/// To find the breaker of a known key takes no lock and allocates nothing: it hashes the key and reads the clock. A new one takes a lock
/// of the set. When the budget is full it looks at all breakers, once for many evictions as long as some may go, and each time when none
/// may.
#[derive(Clone)]
pub struct KeyedBreakers {
    set: Arc<Set>,
}

/// The most keys that a set may have room for.
const MOST: usize = 1_000_000;

/// The longest name of a set, so that there is room for keys.
const LONGEST_NAME: usize = 256;

impl CircuitBreakerBuilder {
    /// A breaker with these settings for each key, no more than `budget` of them. The name is that of the set. When there is a set of this
    /// name, settings and budget already, it is that one.
    ///
    /// # Errors
    /// As [`build`](Self::build), and when the budget is not from 1 to 1,000,000, the name is longer than 256 bytes, or a key could make
    /// the name of another breaker.
    ///
    /// # Example
    /// ```
    /// use tower_vitals_breaker::CircuitBreaker;
    /// use tower_vitals_core::Vitals;
    ///
    /// let upstreams = CircuitBreaker::builder("upstreams").consecutive_failures(3).keyed(&Vitals::new(), 100)?;
    /// upstreams.try_acquire("eu.example.com").unwrap().record_result(&Ok::<_, ()>(200));
    /// assert_eq!(upstreams.get("eu.example.com").name(), "upstreams/eu.example.com");
    /// # Ok::<(), tower_vitals_breaker::BuildError>(())
    /// ```
    pub fn keyed(self, vitals: &Vitals, budget: usize) -> Result<KeyedBreakers, BuildError> {
        if budget == 0 || budget > MOST {
            let rule = format!("the budget of {budget} keys is not from 1 to {MOST}");
            return Err(BuildError::setting(&self.name, rule));
        }
        if self.name.len() > LONGEST_NAME {
            let rule = format!("the name of keyed breakers is longer than {LONGEST_NAME} bytes");
            return Err(BuildError::setting(&self.name, rule));
        }
        CircuitBreakers::of(vitals).keyed(vitals, &self, budget)
    }
}

impl KeyedBreakers {
    pub(super) fn new(set: &Arc<Set>) -> Self {
        let set = Arc::clone(set);
        Self { set }
    }

    /// The breaker of this key. As long as somebody holds it, it stays.
    #[must_use]
    pub fn get(&self, key: &str) -> CircuitBreaker {
        self.set.with(key, CircuitBreaker::clone)
    }

    /// Leave to make one call, or the reason why not, from the breaker of this key. It costs less than [`get`](Self::get) where threads
    /// use the same key at the same time.
    ///
    /// # Errors
    /// When the breaker of this key is open, or half-open with all its probes on their way.
    #[inline]
    pub fn try_acquire(&self, key: &str) -> Result<Permit, Rejected> {
        Permit::acquire(self.lend(key))
    }

    /// The breaker of what has no key and of keys beyond the budget. It is disabled unless somebody gives it another order.
    #[must_use]
    pub fn other(&self) -> CircuitBreaker {
        self.set.other().clone()
    }

    /// The name of the set.
    #[must_use]
    pub fn name(&self) -> &str {
        self.set.name()
    }

    /// How many keys may have breakers of their own.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.set.most()
    }

    /// How many keys have breakers of their own.
    #[must_use]
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether no key has come yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a call of this key holds.
    pub(crate) fn lend(&self, key: &str) -> Lent<Arc<Shared>> {
        self.set.with(key, CircuitBreaker::lend)
    }
}

impl fmt::Debug for KeyedBreakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedBreakers")
            .field("name", &self.name())
            .field("budget", &self.budget())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
