//! What became of each message.

mod amount;
mod backlog;
mod dropped;
mod reason;
mod received;
mod sent;
mod sizes;
mod words;

pub use self::reason::DropReason;
pub(crate) use self::{
    amount::Amount,
    backlog::Backlog,
    dropped::Dropped,
    received::{Received, ReceivedWords},
    sent::{Sent, SentWords},
    sizes::BOUNDS as SIZES,
};
