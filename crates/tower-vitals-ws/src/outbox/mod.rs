//! What waits to be sent, with bounds and a say in what happens when it is too much.

mod aftermath;
mod broadcast;
mod entry;
mod error;
mod key;
mod outgoing;
mod overflow;
mod pump;
mod queue;
mod sender;
mod settings;
mod shared;
mod socket;
mod split;
mod turn;

pub use self::{
    error::{SendError, SendErrorKind},
    key::Key,
    outgoing::Outgoing,
    overflow::Overflow,
    sender::OutboxSender,
    settings::Outbox,
    socket::OutboxSocket,
    split::{OutboxDriver, OutboxReceiver},
};
