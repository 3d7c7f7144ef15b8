use std::time::SystemTime;

use http::Version;
use tower_vitals_core::ClosedLabel;

use crate::{Endpoint, Quality, connection::Messages};

/// An endpoint at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) endpoint: String,
    pub(crate) made: SystemTime,
    /// Whether it has more to show than handshakes.
    pub(crate) is_shown: bool,
    /// Open connections by the version of HTTP that they began as; none of versions that were not seen yet.
    pub(crate) connections: [Option<u64>; VERSIONS.len()],
    pub(crate) messages: Messages,
    /// For how long the message waits that waits longest in an outbox, in nanoseconds.
    pub(crate) oldest_queued: u64,
    /// Connections that ended, by initiator, cause and class of the code.
    pub(crate) closed: Vec<([&'static str; 3], u64)>,
    /// Handshakes by what came of them.
    pub(crate) handshakes: Vec<(&'static str, u64)>,
    pub(crate) heartbeat_timeouts: u64,
    /// Open connections by how well they are doing.
    pub(crate) qualities: [u64; Quality::ALL.len()],
}

/// The versions of HTTP, as they stand in the label.
pub(crate) const VERSIONS: [&str; 3] = ["1.1", "2", "3"];

pub(super) fn place(version: Version) -> usize {
    match version {
        Version::HTTP_2 => 1,
        Version::HTTP_3 => 2,
        _ => 0,
    }
}

impl Endpoint {
    /// All there is to show at a scrape.
    pub(crate) fn row(&self) -> Row {
        let state = self.state();
        let live: Vec<_> = state.live.values().cloned().collect();
        let mut messages = state.past;
        let closed = state.closed.iter().map(|(labels, count)| (*labels, *count)).collect();
        let handshakes = state.handshakes.iter().map(|(outcome, count)| (*outcome, *count)).collect();
        let (is_shown, mut seen) = (state.is_shown, state.seen);
        let heartbeat_timeouts = state.heartbeat_timeouts;
        drop(state);
        // Most servers never see another version than the first.
        seen[0] |= is_shown;
        // Whatever closes from here on is not in what was copied, so each connection is counted once.
        let mut connections = seen.map(|is_seen| is_seen.then_some(0));
        let mut qualities = [0; Quality::ALL.len()];
        let mut oldest = None;
        let now = self.now();
        for record in live {
            let since = record.waits_since();
            oldest = oldest.into_iter().chain(since).min();
            if let Some(count) = &mut connections[place(record.version)] {
                *count += 1;
            }
            qualities[record.quality(now) as usize] += 1;
            messages.add(&record.messages());
        }
        let oldest_queued = oldest.map_or(0, |since| now.saturating_sub(since));
        Row {
            endpoint: self.name().to_owned(),
            made: self.inner.made,
            is_shown,
            connections,
            messages,
            oldest_queued,
            closed,
            handshakes,
            heartbeat_timeouts,
            qualities,
        }
    }
}
