use std::time::Duration;

use crate::CloseCode;

/// What an outbox does with a message that it has no room for.
///
/// Whatever it says, a message with a [key](crate::Outgoing::latest) takes the place of the one that waits with the same key, and pings,
/// pongs and closing messages need no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// Its sender waits for room, in the order in which senders came. After the timeout the message is dropped (`send_timeout`) and given
    /// back. With `Duration::MAX` there is no timeout, and no timer is needed.
    Block {
        /// For how long at most.
        timeout: Duration,
    },
    /// It is dropped (`queue_full`) and given back.
    DropNewest,
    /// What has waited longest makes room for it, and is dropped (`evicted`).
    DropOldest,
    /// It is dropped (`slow_consumer`) and given back. When there was no room for so long, the connection is closed, and all that waits is
    /// dropped for the same reason. A handler that does not poll its socket makes a connection slow as well. Needs a runtime of tokio that
    /// has time enabled.
    DisconnectSlow {
        /// What the other side is told.
        code: CloseCode,
        /// For how long there may be no room, from the first message that found none.
        grace: Duration,
    },
}

impl Overflow {
    /// 10 seconds of waiting.
    pub(super) const DEFAULT: Self = Self::Block {
        timeout: Duration::from_secs(10),
    };
}
