use tower_vitals_core::closed_label;

use super::CodeClass;

closed_label! {
    /// Who ended a connection.
    #[non_exhaustive]
    pub enum Initiator {
        /// This side.
        Local => "local",
        /// The other side.
        Remote => "remote",
        /// Nobody can tell: the connection below failed.
        Unknown => "unknown",
    }
}

closed_label! {
    /// Why a connection ended.
    #[non_exhaustive]
    pub enum CloseCause {
        /// A message that closes was sent or came first: `initiator` says which, and `code` what it said.
        CloseFrame => "close_frame",
        /// The same, but this side let go of the connection before its own such message, or its reply to one, was known to have left. The
        /// other side may see the code 1006.
        CloseUnfinished => "close_unfinished",
        /// This side let go of the connection without closing it.
        Dropped => "dropped",
        /// The other side did not answer in time when it was asked whether it is there.
        HeartbeatTimeout => "heartbeat_timeout",
        /// Nothing came or was sent for too long.
        IdleTimeout => "idle_timeout",
        /// A text that came was not UTF-8.
        InvalidUtf8 => "invalid_utf8",
        /// The connection below failed.
        IoError => "io_error",
        /// An operator closed it.
        Kicked => "kicked",
        /// It was as old as it may become.
        Lifetime => "lifetime",
        /// The task that had the connection panicked.
        Panicked => "panicked",
        /// More pings came than may come.
        PingFlood => "ping_flood",
        /// What came broke the protocol.
        ProtocolError => "protocol_error",
        /// The other side went away without closing.
        Reset => "reset",
        /// The server stopped.
        Shutdown => "shutdown",
        /// It did not take what was to be sent to it fast enough.
        SlowConsumer => "slow_consumer",
        /// A message that came was larger than allowed.
        TooLarge => "too_large",
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ended {
    pub(crate) initiator: Initiator,
    pub(crate) cause: CloseCause,
    pub(crate) code: CodeClass,
}

impl Ended {
    /// By a message that closes.
    pub(crate) fn by_frame(initiator: Initiator, code: Option<u16>) -> Self {
        Self {
            initiator,
            cause: CloseCause::CloseFrame,
            code: CodeClass::of(code),
        }
    }

    pub(crate) fn without_code(initiator: Initiator, cause: CloseCause) -> Self {
        Self {
            initiator,
            cause,
            code: CodeClass::None,
        }
    }

    /// What failed says more than something else that failed, if its rank is higher. Between two of a rank the first counts.
    fn rank(self) -> u8 {
        match self.cause {
            CloseCause::ProtocolError | CloseCause::InvalidUtf8 | CloseCause::TooLarge => 2,
            CloseCause::Panicked => 1,
            CloseCause::Reset | CloseCause::IoError => 0,
            // Nothing failed.
            CloseCause::CloseFrame
            | CloseCause::CloseUnfinished
            | CloseCause::Dropped
            | CloseCause::HeartbeatTimeout
            | CloseCause::IdleTimeout
            | CloseCause::Kicked
            | CloseCause::Lifetime
            | CloseCause::PingFlood
            | CloseCause::Shutdown
            | CloseCause::SlowConsumer => 0,
        }
    }

    /// The one of both that says more.
    pub(crate) fn or(seen: Option<Self>, new: Self) -> Self {
        seen.filter(|seen| seen.rank() >= new.rank()).unwrap_or(new)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_broke_the_protocol_says_more_than_what_fails_after_it() {
        let of = |cause| Ended::without_code(Initiator::Remote, cause);
        let [protocol, utf8, reset, io] = [
            CloseCause::ProtocolError,
            CloseCause::InvalidUtf8,
            CloseCause::Reset,
            CloseCause::IoError,
        ]
        .map(of);
        assert_eq!(Ended::or(Some(reset), protocol), protocol);
        assert_eq!(Ended::or(Some(protocol), reset), protocol);
        assert_eq!(Ended::or(Some(utf8), protocol), utf8);
        assert_eq!(Ended::or(Some(reset), io), reset);
        assert_eq!(Ended::or(None, reset), reset);
    }
}
