//! A breaker around Tower services.

mod by_key;
mod fallback;
mod future;
#[allow(clippy::module_inception)]
mod layer;
mod pending;
mod pick;
mod service;
mod unavailable;

pub use self::{
    by_key::ByKey,
    fallback::{Fallback, FallbackFuture, NoFallback, PendingWhileOpen},
    future::ResponseFuture,
    layer::CircuitBreakerLayer,
    pick::{OneBreaker, Picks},
    service::CircuitBreakerService,
    unavailable::{MaybeRejected, Unavailable, UnavailableFuture, UnavailableLayer},
};
