use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::SystemTime,
};

use http::Version;
use tower_vitals_core::{Clock, ClosedLabel, Handle, Histogram, HistogramFamily};

use crate::{
    HandshakeOutcome, MeteredWebSocket, Socket,
    connection::{Ended, Messages, Record},
};

/// Where connections belong: a route, or a name from code. It is the label `endpoint`.
///
/// Clones are the same endpoint.
#[derive(Clone)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

struct Inner {
    name: Box<str>,
    clock: Clock,
    made: SystemTime,
    family: HistogramFamily<1>,
    /// Made when it is shown.
    durations: OnceLock<Handle<Histogram>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether it was named by code or had a connection. Of others there are handshakes at most, and strangers may have sent them to any
    /// route, so no more than that is shown.
    is_shown: bool,
    /// The versions of HTTP of which it had connections.
    seen: [bool; VERSIONS.len()],
    next: u64,
    live: BTreeMap<u64, Arc<Record>>,
    /// What connections did that are closed.
    past: Messages,
    closed: BTreeMap<[&'static str; 3], u64>,
    handshakes: BTreeMap<&'static str, u64>,
}

/// A connection of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(u64);

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
    /// Connections that ended, by initiator, cause and class of the code.
    pub(crate) closed: Vec<([&'static str; 3], u64)>,
    /// Handshakes by what came of them.
    pub(crate) handshakes: Vec<(&'static str, u64)>,
}

/// The versions of HTTP, as they stand in the label.
pub(crate) const VERSIONS: [&str; 3] = ["1.1", "2", "3"];

fn place(version: Version) -> usize {
    match version {
        Version::HTTP_2 => 1,
        Version::HTTP_3 => 2,
        _ => 0,
    }
}

impl Endpoint {
    pub(crate) fn new(name: &str, clock: Clock, family: HistogramFamily<1>) -> Self {
        let inner = Inner {
            name: name.into(),
            made: clock.wall(clock.now()),
            clock,
            family,
            durations: OnceLock::new(),
            state: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The label `endpoint`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Counts this connection and its messages as this endpoint's, from now until it is dropped.
    ///
    /// It is taken for one that began as HTTP/1.1; [`meter_version`](Self::meter_version) says another version.
    pub fn meter<S: Socket>(&self, socket: S) -> MeteredWebSocket<S> {
        self.meter_version(socket, Version::HTTP_11)
    }

    /// The same for a connection that began as another version of HTTP.
    pub fn meter_version<S: Socket>(&self, socket: S, version: Version) -> MeteredWebSocket<S> {
        MeteredWebSocket::new(socket, self, version)
    }

    pub(crate) fn now(&self) -> u64 {
        self.inner.clock.nanos()
    }

    /// Has all of it shown from now on.
    pub(crate) fn show(&self) {
        let inner = &self.inner;
        inner.durations.get_or_init(|| inner.family.with([&*inner.name]).hold());
        self.state().is_shown = true;
    }

    /// A connection began.
    pub(crate) fn open(&self, record: &Arc<Record>) -> Id {
        self.show();
        let mut state = self.state();
        state.seen[place(record.version)] = true;
        let id = state.next;
        state.next += 1;
        state.live.insert(id, Arc::clone(record));
        Id(id)
    }

    /// A connection ended. What became of its messages is in its record.
    pub(crate) fn close(&self, id: Id, record: &Record, ended: Ended) {
        let took = self.now().saturating_sub(record.began);
        let messages = record.messages();
        let labels = [ended.initiator.as_str(), ended.cause.as_str(), ended.code.as_str()];
        let mut state = self.state();
        state.live.remove(&id.0);
        state.past.add(&messages);
        *state.closed.entry(labels).or_default() += 1;
        drop(state);
        if let Some(durations) = self.inner.durations.get() {
            durations.observe_nanos(took);
        }
    }

    pub(crate) fn count_handshake(&self, outcome: HandshakeOutcome) {
        *self.state().handshakes.entry(outcome.as_str()).or_default() += 1;
    }

    pub(crate) fn row(&self) -> Row {
        let state = self.state();
        let live: Vec<_> = state.live.values().cloned().collect();
        let mut messages = state.past;
        let closed = state.closed.iter().map(|(labels, count)| (*labels, *count)).collect();
        let handshakes = state.handshakes.iter().map(|(outcome, count)| (*outcome, *count)).collect();
        let (is_shown, mut seen) = (state.is_shown, state.seen);
        drop(state);
        // Most servers never see another version than the first.
        seen[0] |= is_shown;
        // Whatever closes from here on is not in what was copied, so each connection is counted once.
        let mut connections = seen.map(|is_seen| is_seen.then_some(0));
        for record in live {
            if let Some(count) = &mut connections[place(record.version)] {
                *count += 1;
            }
            messages.add(&record.messages());
        }
        Row {
            endpoint: self.name().to_owned(),
            made: self.inner.made,
            is_shown,
            connections,
            messages,
            closed,
            handshakes,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("name", &self.name())
            .field("connections", &self.state().live.len())
            .finish_non_exhaustive()
    }
}
