use std::fmt;

use tower_vitals_core::spread::{Lent, Spread};

use crate::{CircuitBreaker, shared::Shared, sync::Arc};

/// What a layer makes its services choose breakers with. The crate's own kinds are all there are.
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
    pub(crate) shared: &'a Spread<Arc<Shared>>,
}

/// All requests have the same breaker.
///
/// Each service has a handle of its own to it, so that its clones do not count references where those of others do.
#[derive(Clone)]
pub struct OneBreaker {
    shared: Spread<Arc<Shared>>,
}

impl Picks for CircuitBreaker {
    type Pick = OneBreaker;

    fn pick(&self) -> OneBreaker {
        OneBreaker { shared: self.spread() }
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

mod sealed {
    pub trait Sealed {}

    impl Sealed for crate::CircuitBreaker {}
    impl Sealed for super::OneBreaker {}
}
