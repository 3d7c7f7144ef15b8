use std::{fmt, time::Duration};

use tower_vitals_core::spread::{Lent, Spread};

use crate::{CircuitBreakerBuilder, Mode, Permit, Rejected, State, machine::Machine, shared::Shared, sync::Arc};

/// A circuit breaker: lets calls through as long as they succeed, and rejects them for a while when too many fail.
///
/// Clones are the same breaker.
#[derive(Clone)]
pub struct CircuitBreaker {
    /// Threads that call at the same time do not count references in one place.
    inner: Arc<Spread<Arc<Shared>>>,
}

impl CircuitBreaker {
    /// Sets up a breaker. The name is the value of the label `breaker`; it must come from code or configuration.
    pub fn builder(name: impl Into<String>) -> CircuitBreakerBuilder {
        CircuitBreakerBuilder::new(name.into())
    }

    pub(crate) fn new(shared: Shared) -> Self {
        Self::of(Arc::new(shared))
    }

    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self {
            inner: Arc::new(Spread::new(shared)),
        }
    }

    /// Whether anybody has another clone of this handle, or something that it lent.
    pub(crate) fn is_held(&self) -> bool {
        Arc::strong_count(&self.inner) > 1 || self.inner.is_lent()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner
    }

    /// A handle whose clones count apart from those of others: for what is cloned with every connection.
    pub(crate) fn spread(&self) -> Spread<Arc<Shared>> {
        Spread::new(Arc::clone(self.shared()))
    }

    /// A handle for one call.
    pub(crate) fn lend(&self) -> Lent<Arc<Shared>> {
        self.inner.lend()
    }

    /// Leave to make one call, or the reason why not.
    ///
    /// # Errors
    /// When the breaker is open, or half-open with all its probes on their way.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit, Rejected> {
        Permit::acquire(self.inner.lend())
    }

    /// The name: the label `breaker`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.shared().name()
    }

    /// The state. Asking changes nothing: a breaker whose open time is over is open until somebody calls.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared().word().state()
    }

    /// The mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shared().snapshot().mode
    }

    /// Closes it, and forgets what was. A mode that an operator set stays, but for one that forced it open.
    pub fn reset(&self) {
        self.shared().order(Machine::reset);
    }

    /// Rejects all calls until [`release`](Self::release), [`reset`](Self::reset) or another order.
    pub fn force_open(&self) {
        self.shared().order(|machine, now| machine.force_open(now, None));
    }

    /// Rejects all calls for a time, after which probes go through as after any open time.
    pub fn force_open_for(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.shared().order(|machine, now| machine.force_open(now, Some(time)));
    }

    /// Lets all calls through and judges none, until another order. Calls are still counted.
    pub fn disable(&self) {
        self.shared().order(Machine::disable);
    }

    /// Lets all calls through, and counts those it would have rejected in `circuit_breaker_would_reject_total`.
    pub fn shadow(&self) {
        self.shared().order(Machine::shadow);
    }

    /// Goes back to what results say: ends [`force_open`](Self::force_open), [`disable`](Self::disable) and [`shadow`](Self::shadow).
    pub fn release(&self) {
        self.shared().order(Machine::release);
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared().fmt(f)
    }
}
