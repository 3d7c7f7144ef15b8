//! WebSockets that count.

mod attempt;
mod closing;
mod facts;
mod heartbeat;
mod metered;
mod receiving;
mod sending;
#[allow(clippy::module_inception)]
mod socket;
mod split;
mod tending;

pub(crate) use self::facts::Facts;
pub use self::{
    metered::MeteredWebSocket,
    socket::Socket,
    split::{MeteredReceiver, MeteredSender, ReuniteError},
};
