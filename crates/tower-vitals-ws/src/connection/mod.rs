//! One WebSocket, from its beginning to its end.

mod cause;
mod code;
mod ending;
mod guard;
mod record;

pub(crate) use self::{
    cause::Ended,
    ending::Ending,
    guard::Guard,
    record::{Messages, Record},
};
pub use self::{
    cause::{CloseCause, Initiator},
    code::CodeClass,
};
