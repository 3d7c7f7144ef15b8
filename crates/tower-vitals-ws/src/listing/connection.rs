use std::time::Duration;

use http::Version;

use crate::{ConnectionId, Quality};

/// An open connection at one moment, as [`WebSockets::connections`](crate::WebSockets::connections) lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// Names it, for [`WebSockets::kick`](crate::WebSockets::kick).
    pub id: ConnectionId,
    /// The label `endpoint`.
    pub endpoint: String,
    /// The version of HTTP that it began as.
    pub http_version: Version,
    /// For how long it has been open.
    pub age: Duration,
    /// For how long nothing was received or sent, as far as the socket was polled since.
    pub idle: Duration,
    /// The last round trip of a ping of its heartbeat.
    pub rtt: Option<Duration>,
    /// How well it is doing.
    pub quality: Quality,
    /// Messages that wait in its outbox.
    pub queued_messages: u64,
    /// The bytes of their payloads.
    pub queued_bytes: u64,
    /// Messages that wait to be accepted or flushed.
    pub buffered_messages: u64,
    /// The bytes of their payloads.
    pub buffered_bytes: u64,
    /// For how long the oldest message that is known to wait has been waiting to be sent.
    pub unsent: Option<Duration>,
    /// Messages that were dropped so far, for any reason.
    pub dropped_messages: u64,
    /// Messages that came so far.
    pub received_messages: u64,
    /// Messages that the application wanted to send so far.
    pub attempted_messages: u64,
}
