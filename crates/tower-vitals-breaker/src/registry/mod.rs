//! The breakers of a Vitals.

mod difference;
mod event;
mod events;
mod evict;
pub mod key;
mod keyed;
mod made;
#[allow(clippy::module_inception)]
mod registry;
mod set;
mod status;

pub use self::{event::Event, events::Subscription, keyed::KeyedBreakers, registry::CircuitBreakers, status::Status};
