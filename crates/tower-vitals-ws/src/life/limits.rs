use std::time::Duration;

use super::Heartbeat;

/// What bounds the life of a connection.
///
/// All of it is looked at whenever the socket is polled: to receive, or to send when that has to wait. A handler that does neither for long
/// delays it. Needs a runtime of tokio that has time enabled.
///
/// A connection that reaches a limit is sent a closing message, behind what its library has accepted and ahead of what waits in an outbox,
/// which is dropped (`closed`). It has a moment to answer. Then the application receives nothing more, and what it still sends fails as on
/// a closed connection.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use tower_vitals_ws::{Heartbeat, Limits};
///
/// let limits = Limits::new()
///     .heartbeat(Heartbeat::every(Duration::from_secs(30)))
///     .idle_timeout(Duration::from_secs(15 * 60))
///     .max_lifetime(Duration::from_secs(24 * 3600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Limits {
    pub(super) heartbeat: Option<Heartbeat>,
    pub(super) idle: Option<Duration>,
    pub(super) lifetime: Option<Duration>,
    pub(super) pings: u32,
}

/// What a client may ask for without a reason to: some send one each second.
const PINGS: u32 = 10;

impl Limits {
    /// None but that of pings: 10 a second, and 100 at once.
    pub const fn new() -> Self {
        Self {
            heartbeat: None,
            idle: None,
            lifetime: None,
            pings: PINGS,
        }
    }

    /// Asks the other side whether it is there. It is not asked unless said so.
    pub const fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = Some(heartbeat);
        self
    }

    /// How long nothing may come or be sent, but for heartbeats. The connection ends as `idle_timeout`, with the code 1001.
    pub const fn idle_timeout(mut self, idle: Duration) -> Self {
        self.idle = Some(idle);
        self
    }

    /// How old a connection may become. It ends as `lifetime`, with the code 1001, within the last tenth of that: connections that began
    /// together end one after the other.
    pub const fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// How many pings may come in a second, and ten times as many at once; `u32::MAX` for any number. Each makes the library send a pong.
    /// The connection ends as `ping_flood`, with the code 1008.
    pub const fn max_pings_per_second(mut self, pings: u32) -> Self {
        self.pings = pings;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
