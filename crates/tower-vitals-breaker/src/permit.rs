use std::fmt;

use tower_vitals_core::spread::Lent;

use crate::{Rejected, Verdict, machine::Ticket, shared::Shared, sync::Arc};

/// Leave to make one call, from [`CircuitBreaker::try_acquire`](crate::CircuitBreaker::try_acquire).
///
/// Tell it how the call ended by [`record`](Self::record). A permit that is dropped without counts as `cancelled`, which decides nothing
/// and frees a probe's place, or as `panicked`, which is a failure, when its thread unwinds.
#[must_use = "a permit that is dropped counts as a call that was cancelled"]
pub struct Permit {
    shared: Lent<Arc<Shared>>,
    ticket: Ticket,
    /// When the call began, where calls are timed.
    began: u64,
    /// How long the call took, once its head is there.
    to_head: Option<u64>,
    has_ended: bool,
}

impl Permit {
    #[inline]
    pub(crate) fn acquire(shared: Lent<Arc<Shared>>) -> Result<Self, Rejected> {
        match shared.acquire() {
            Ok(ticket) => Ok(Self {
                began: if shared.is_timed() { shared.clock().nanos() } else { 0 },
                shared,
                ticket,
                to_head: None,
                has_ended: false,
            }),
            Err(refusal) => Err(Rejected::new(shared, refusal)),
        }
    }

    /// The call ended, and this is what its result says.
    #[inline]
    pub fn record(mut self, verdict: Verdict) {
        self.end(verdict);
    }

    /// The call ended: an error is a failure.
    pub fn record_result<T, E>(self, result: &Result<T, E>) {
        self.record(if result.is_ok() { Verdict::SUCCESS } else { Verdict::FAILURE });
    }

    /// The head of the response is there: what comes after it takes no time of the call.
    pub(crate) fn mark_head(&mut self) {
        let took = || self.shared.clock().nanos().saturating_sub(self.began);
        self.to_head = self.shared.is_timed().then(took);
    }

    /// Whether its result decides the state of a half-open breaker.
    pub(crate) fn is_probe(&self) -> bool {
        matches!(self.ticket, Ticket::Probe { .. })
    }

    /// Nobody waits for the call any more.
    pub(crate) fn cancel(mut self) {
        self.has_ended = true;
        self.shared.cancel(self.ticket);
    }

    #[inline]
    fn end(&mut self, verdict: Verdict) {
        self.has_ended = true;
        let now = self.shared.clock().nanos();
        let took = self
            .to_head
            .or_else(|| self.shared.is_timed().then(|| now.saturating_sub(self.began)));
        let outcome = self.shared.end(self.ticket, verdict, now, took);
        self.shared.observe(outcome, took);
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        if std::thread::panicking() {
            self.end(Verdict::PANICKED);
        } else {
            self.has_ended = true;
            self.shared.cancel(self.ticket);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("breaker", &self.shared.name())
            .field("is_probe", &self.is_probe())
            .finish_non_exhaustive()
    }
}
