use std::fmt;

use tower_vitals_core::spread::{Copies, Lent};

use crate::{CircuitBreaker, shared::Shared, sync::Arc};

/// Says which breaker a request has: a [`CircuitBreaker`] that all have, or what [`KeyedBreakers::by`] gives.
///
/// The crate's own kinds are all there are.
///
/// [`KeyedBreakers::by`]: crate::KeyedBreakers::by
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which breaker a request has",
    note = "one breaker for all requests is a `CircuitBreaker`",
    note = "with `KeyedBreakers`, a key says which: `breakers.by(key::host)`"
)]
pub trait Picks: sealed::Sealed {
    /// What chooses, in a service.
    type Pick;

    /// One for another service.
    #[doc(hidden)]
    fn pick(&self) -> Self::Pick;
}

/// Chooses the breaker of a request. The crate's own kinds are all there are.
pub trait Pick<Req>: sealed::Sealed {
    /// The breaker of this request.
    #[doc(hidden)]
    fn of(&self, request: &Req) -> Picked;

    /// The breaker of all requests, if there is but one.
    #[doc(hidden)]
    fn of_all(&self) -> Option<Of<'_>>;
}

/// A breaker that was chosen.
#[derive(Debug)]
pub struct Picked {
    pub(crate) shared: Lent<Arc<Shared>>,
}

/// The breaker of all requests.
#[derive(Debug)]
pub struct Of<'a> {
    pub(crate) shared: &'a Copies<Arc<Shared>>,
}

/// All requests have the same breaker.
///
/// Each service that a layer makes counts references apart from the others, and so does each thread that calls it or its clones.
#[derive(Clone)]
pub struct OneBreaker {
    shared: Arc<Copies<Arc<Shared>>>,
}

impl Picks for CircuitBreaker {
    type Pick = OneBreaker;

    fn pick(&self) -> OneBreaker {
        OneBreaker { shared: self.copies() }
    }
}

impl<Req> Pick<Req> for OneBreaker {
    #[inline]
    fn of(&self, _: &Req) -> Picked {
        Picked {
            shared: self.shared.lend(),
        }
    }

    #[inline]
    fn of_all(&self) -> Option<Of<'_>> {
        Some(Of { shared: &self.shared })
    }
}

impl fmt::Debug for OneBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

pub(super) mod sealed {
    pub trait Sealed {}

    impl Sealed for crate::CircuitBreaker {}
    impl Sealed for super::OneBreaker {}
}
