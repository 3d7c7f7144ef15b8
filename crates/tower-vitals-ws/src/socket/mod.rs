//! WebSockets that count.

mod attempt;
mod facts;
#[allow(clippy::module_inception)]
mod socket;
mod split;

pub use self::{
    socket::{MeteredWebSocket, Socket},
    split::{MeteredReceiver, MeteredSender, ReuniteError},
};
