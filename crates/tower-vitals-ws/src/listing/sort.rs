use std::cmp::Reverse;

use super::Connection;

/// What connections are sorted by, the most of it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SortBy {
    /// For how long it has been open.
    Age,
    /// For how long nothing was received or sent.
    Idle,
    /// The last round trip.
    Rtt,
    /// How badly it is doing, and among those that are alike, how much waits to be sent.
    Quality,
    /// The bytes that wait in its outbox and to be flushed.
    Queue,
    /// For how long the oldest message has been waiting to be sent.
    Unsent,
    /// Messages that were dropped.
    Dropped,
    /// Messages that came.
    Received,
    /// Messages that the application wanted to send.
    Attempted,
    /// The version of HTTP.
    HttpVersion,
}

impl SortBy {
    /// The first so many, in this order. Among those that are alike, the older is first.
    pub(crate) fn first(self, mut connections: Vec<Connection>, most: usize) -> Vec<Connection> {
        let by = |connection: &Connection| Reverse((self.key(connection), connection.age, connection.id));
        if most < connections.len() {
            connections.select_nth_unstable_by_key(most, by);
            connections.truncate(most);
        }
        connections.sort_unstable_by_key(by);
        connections
    }

    fn key(self, of: &Connection) -> (u128, u64) {
        let waits = of.queued_bytes.saturating_add(of.buffered_bytes);
        match self {
            Self::Age => (of.age.as_nanos(), 0),
            Self::Idle => (of.idle.as_nanos(), 0),
            Self::Rtt => (of.rtt.unwrap_or_default().as_nanos(), 0),
            Self::Quality => (of.quality as u128, waits),
            Self::Queue => (waits.into(), of.queued_messages),
            Self::Unsent => (of.unsent.unwrap_or_default().as_nanos(), 0),
            Self::Dropped => (of.dropped_messages.into(), 0),
            Self::Received => (of.received_messages.into(), 0),
            Self::Attempted => (of.attempted_messages.into(), 0),
            Self::HttpVersion => (u128::from(of.http_version > http::Version::HTTP_11), 0),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{ConnectionId, Quality};

    /// Gives a connection more of something.
    type Change = fn(&mut Connection, Option<Duration>);

    fn plain(id: ConnectionId) -> Connection {
        Connection {
            id,
            endpoint: String::new(),
            http_version: http::Version::HTTP_11,
            age: Duration::from_secs(1),
            idle: Duration::ZERO,
            rtt: None,
            quality: Quality::Good,
            queued_messages: 0,
            queued_bytes: 0,
            buffered_messages: 0,
            buffered_bytes: 0,
            unsent: None,
            dropped_messages: 0,
            received_messages: 0,
            attempted_messages: 0,
        }
    }

    fn first(by: SortBy, connections: &[Connection], most: usize) -> Vec<ConnectionId> {
        by.first(connections.to_vec(), most).iter().map(|one| one.id).collect()
    }

    #[test]
    fn the_most_of_what_is_asked_for_is_first() {
        let one = Some(Duration::from_millis(1));
        let changes: [(SortBy, Change); 11] = [
            (SortBy::Age, |of, _| of.age *= 2),
            (SortBy::Idle, |of, one| of.idle = one.unwrap_or_default()),
            (SortBy::Rtt, |of, one| of.rtt = one),
            (SortBy::Quality, |of, _| of.quality = Quality::Degraded),
            (SortBy::Queue, |of, _| of.queued_bytes = 1),
            (SortBy::Queue, |of, _| of.buffered_bytes = 1),
            (SortBy::Unsent, |of, one| of.unsent = one),
            (SortBy::Dropped, |of, _| of.dropped_messages = 1),
            (SortBy::Received, |of, _| of.received_messages = 1),
            (SortBy::Attempted, |of, _| of.attempted_messages = 1),
            (SortBy::HttpVersion, |of, _| of.http_version = http::Version::HTTP_2),
        ];
        for (place, (by, change)) in changes.into_iter().enumerate() {
            let mut connections: Vec<_> = (0..5).map(|_| plain(ConnectionId::random())).collect();
            change(&mut connections[2], one);
            // The other has more of all else.
            for (_, change) in changes.into_iter().filter(|(other, _)| *other != by) {
                change(&mut connections[3], one);
            }
            if by != SortBy::Age {
                connections[3].age = Duration::ZERO;
            }
            assert_eq!(first(by, &connections, 1), [connections[2].id], "{by:?} {place}");
            assert_eq!(first(by, &connections, 9).len(), 5);
        }
    }

    #[test]
    fn among_those_that_are_alike_the_older_is_first() {
        let mut connections: Vec<_> = (0..100).map(|_| plain(ConnectionId::random())).collect();
        for (age, connection) in connections.iter_mut().enumerate() {
            connection.age = Duration::from_secs(age as u64 % 10);
        }
        let all = first(SortBy::Dropped, &connections, usize::MAX);
        assert!((0..=100).all(|most| first(SortBy::Dropped, &connections, most) == all[..most]));
        let oldest = all[..10]
            .iter()
            .all(|id| connections.iter().any(|one| one.id == *id && one.age.as_secs() == 9));
        assert!(oldest);
    }
}
