//! What became of each message.

mod amount;
mod reason;
mod received;
mod sent;
mod words;

pub use self::reason::DropReason;
pub(crate) use self::{
    amount::Amount,
    received::{Received, ReceivedWords},
    sent::{Sent, SentWords},
};
