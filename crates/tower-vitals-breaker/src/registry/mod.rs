//! The breakers of a Vitals.

mod difference;
mod event;
mod events;
pub mod key;
mod keyed;
#[allow(clippy::module_inception)]
mod registry;
mod set;
mod status;

pub use self::{event::Event, events::Subscription, keyed::KeyedBreakers, registry::CircuitBreakers, status::Status};
