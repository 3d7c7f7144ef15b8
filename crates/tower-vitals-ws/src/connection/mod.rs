//! One WebSocket, from its beginning to its end.

mod cause;
mod code;
mod ending;
mod flush_timer;
mod guard;
mod id;
mod orders;
mod record;
mod signs;

pub(crate) use self::{
    cause::Ended,
    ending::Ending,
    flush_timer::FlushTimer,
    guard::Guard,
    id::random,
    orders::{Order, Orders, Side},
    record::{Messages, Record},
    signs::Signs,
};
pub use self::{
    cause::{CloseCause, Initiator},
    code::CodeClass,
    id::{ConnectionId, InvalidConnectionId},
};
