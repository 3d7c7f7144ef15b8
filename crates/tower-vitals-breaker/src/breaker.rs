use std::{fmt, time::Duration};

use tower_vitals_core::spread::{Copies, Lent};

use crate::{CircuitBreakerBuilder, Mode, Permit, Rejected, State, machine::Order, shared::Shared, sync::Arc};

/// A circuit breaker: lets calls through as long as they succeed, and rejects them for a while when too many fail.
///
/// Clones are the same breaker.
#[derive(Clone)]
pub struct CircuitBreaker {
    /// Threads that call at the same time do not count references in one place.
    inner: Arc<Copies<Arc<Shared>>>,
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
            inner: Arc::new(Copies::new(shared)),
        }
    }

    /// Whether anybody has another clone of this handle, or something that it lent.
    pub(crate) fn is_held(&self) -> bool {
        Arc::strong_count(&self.inner) > 1 || self.inner.is_lent()
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner
    }

    /// A handle that counts references apart from others: for a service, of which there may be one with every connection.
    pub(crate) fn copies(&self) -> Arc<Copies<Arc<Shared>>> {
        Arc::new(Copies::new(Arc::clone(self.shared())))
    }

    /// A handle for one call.
    #[inline]
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

    /// The mode. A time for which it was forced open may be over: then it is automatic.
    ///
    /// # Cost
    /// It takes a lock, which calls do not need.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shared().mode()
    }

    /// Closes it, and forgets what was. A mode that an operator set stays, but for one that forced it open.
    pub fn reset(&self) {
        self.shared().order(Order::Reset);
    }

    /// Rejects all calls until [`release`](Self::release), [`reset`](Self::reset) or another order.
    pub fn force_open(&self) {
        self.shared().order(Order::ForceOpen(None));
    }

    /// Rejects all calls for a time, after which probes go through as after any open time. A time beyond what the clock can tell, some
    /// 500 years, is [without end](Self::force_open).
    pub fn force_open_for(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.shared().order(Order::ForceOpen(Some(time)));
    }

    /// Lets all calls through and judges none, until another order. Calls are still counted.
    pub fn disable(&self) {
        self.shared().order(Order::Disable);
    }

    /// Lets all calls through, and counts those it would have rejected in `circuit_breaker_would_reject_total`.
    pub fn shadow(&self) {
        self.shared().order(Order::Shadow);
    }

    /// Goes back to what results say: ends [`force_open`](Self::force_open), [`disable`](Self::disable) and [`shadow`](Self::shadow).
    pub fn release(&self) {
        self.shared().order(Order::Release);
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared().fmt(f)
    }
}
