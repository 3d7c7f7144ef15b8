//! How long a connection may live, and how it shows that it does.

mod heartbeat;
#[allow(clippy::module_inception)]
mod life;
mod limits;
mod ping_rate;
mod timer;

pub use self::{heartbeat::Heartbeat, limits::Limits};
pub(crate) use self::{
    heartbeat::Payload,
    life::{Act, Life},
    timer::Timer,
};
