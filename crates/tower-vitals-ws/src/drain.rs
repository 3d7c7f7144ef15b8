use std::{num::NonZeroU32, time::Duration};

use crate::CloseCode;

/// How open connections are closed when a server stops: in rounds, so that not all clients come back at once elsewhere.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use tower_vitals_ws::{CloseCode, Drain, WebSockets};
///
/// async fn stop(sockets: &WebSockets) {
///     let drain = Drain::new().code(CloseCode::SERVICE_RESTART).over(Duration::from_secs(10));
///     let drained = sockets.drain(drain).await;
///     println!("{} closed, {} left", drained.closed, drained.left);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Drain {
    pub(crate) code: CloseCode,
    pub(crate) rounds: NonZeroU32,
    pub(crate) over: Duration,
    pub(crate) grace: Duration,
}

/// What came of closing all connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that ended meanwhile, also those that were opened meanwhile.
    pub closed: u64,
    /// Connections that were still open when nobody waited any more. They end with their tasks.
    pub left: u64,
}

impl Drain {
    /// With the code 1001 (going away), in 10 rounds over 5 seconds, and 10 seconds for the last ones to end.
    pub const fn new() -> Self {
        Self {
            code: CloseCode::GOING_AWAY,
            rounds: NonZeroU32::MIN.saturating_add(9),
            over: Duration::from_secs(5),
            grace: Duration::from_secs(10),
        }
    }

    /// With this code: [1012](CloseCode::SERVICE_RESTART) says that the service comes back.
    pub const fn code(mut self, code: CloseCode) -> Self {
        self.code = code;
        self
    }

    /// In so many rounds, each of as many connections as the others.
    pub const fn rounds(mut self, rounds: NonZeroU32) -> Self {
        self.rounds = rounds;
        self
    }

    /// How long it takes from the first round to the last.
    pub const fn over(mut self, over: Duration) -> Self {
        self.over = over;
        self
    }

    /// How long the connections of the last round have to end.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}
