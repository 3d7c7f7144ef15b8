use std::fmt;

use tower_vitals_core::spread::Lent;

use crate::{Rejected, Verdict, machine::Ticket, shared::Shared, sync::Arc, timing::Timing};

/// Leave to make one call, from [`CircuitBreaker::try_acquire`](crate::CircuitBreaker::try_acquire).
///
/// Tell it how the call ended by [`record`](Self::record). A permit that is dropped without counts as `cancelled`, which decides nothing
/// and frees a probe's place, or as `panicked`, which is a failure, when its thread unwinds.
#[must_use = "a permit that is dropped counts as a call that was cancelled"]
pub struct Permit {
    /// None once the call ended.
    shared: Option<Lent<Arc<Shared>>>,
    ticket: Ticket,
    timing: Timing,
}

impl Permit {
    // What a usual call needs is inlined always: left to itself, the compiler passes permits through memory, which takes a fifth more.
    #[inline(always)]
    pub(crate) fn acquire(shared: Lent<Arc<Shared>>) -> Result<Self, Rejected> {
        match shared.acquire() {
            Ok((ticket, timing)) => Ok(Self {
                shared: Some(shared),
                ticket,
                timing,
            }),
            Err(refusal) => Err(Rejected::new(shared, refusal)),
        }
    }

    /// The call ended, and this is what its result says.
    #[inline(always)]
    pub fn record(mut self, verdict: Verdict) {
        self.end(verdict);
    }

    /// The call ended: an error is a failure.
    #[inline]
    pub fn record_result<T, E>(self, result: &Result<T, E>) {
        self.record(if result.is_ok() { Verdict::SUCCESS } else { Verdict::FAILURE });
    }

    /// The head of the response is there: what comes after it takes no time of the call.
    pub(crate) fn mark_head(&mut self) {
        if let (false, Some(shared)) = (self.timing.is_none(), &self.shared) {
            self.timing = self.timing.at_head(shared.clock().nanos());
        }
    }

    /// Whether its result decides the state of a half-open breaker.
    pub(crate) fn is_probe(&self) -> bool {
        self.ticket.is_probe()
    }

    /// Nobody waits for the call any more.
    pub(crate) fn cancel(mut self) {
        if let Some(shared) = self.shared.take() {
            shared.cancel(self.ticket);
        }
    }

    #[inline(always)]
    fn end(&mut self, verdict: Verdict) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        let now = shared.clock().nanos();
        shared.end(self.ticket, verdict, now, self.timing);
    }

    #[cold]
    fn drop_unended(&mut self) {
        if std::thread::panicking() {
            self.end(Verdict::PANICKED);
        } else if let Some(shared) = self.shared.take() {
            shared.cancel(self.ticket);
        }
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.shared.is_some() {
            self.drop_unended();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("breaker", &self.shared.as_ref().map(|shared| shared.name()))
            .field("is_probe", &self.is_probe())
            .finish_non_exhaustive()
    }
}
