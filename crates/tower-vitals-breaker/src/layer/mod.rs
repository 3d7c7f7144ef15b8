//! A breaker around Tower services.

mod fallback;
mod future;
#[allow(clippy::module_inception)]
mod layer;
mod pending;
mod pick;
mod service;
mod unavailable;

pub use self::{
    fallback::{Fallback, NoFallback},
    future::ResponseFuture,
    layer::CircuitBreakerLayer,
    pick::OneBreaker,
    service::CircuitBreakerService,
    unavailable::{Unavailable, UnavailableFuture, UnavailableLayer},
};
