use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::SystemTime,
};

use http::Version;
use tower_vitals_core::{ClosedLabel, Handle, Histogram, HistogramFamily};

use super::{
    Common,
    row::{VERSIONS, place},
};
use crate::{
    ConnectionId, DropReason, HandshakeOutcome, MeteredWebSocket, Socket,
    capacity::Capacity,
    connection::{Ended, Messages, Order, Record},
    ledger::{Amount, Dropped},
    metrics::Timings,
};

/// Where connections belong: a route, or a name from code. It is the label `endpoint`.
///
/// Clones are the same endpoint.
#[derive(Clone)]
pub struct Endpoint {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    name: Box<str>,
    common: Arc<Common>,
    pub(super) made: SystemTime,
    /// Made when it is shown.
    histograms: OnceLock<Histograms>,
    /// Made when it has an outbox.
    queue_waits: OnceLock<Handle<Histogram>>,
    #[cfg_attr(not(feature = "axum08"), allow(dead_code, reason = "only the extractor claims places"))]
    capacity: Arc<Capacity>,
    state: Mutex<State>,
}

/// What is measured of connections as it happens.
struct Histograms {
    durations: Handle<Histogram>,
    flushes: Handle<Histogram>,
    rtts: Handle<Histogram>,
}

#[derive(Default)]
pub(super) struct State {
    /// Whether it was named by code or had a connection. Of others there are handshakes at most, and strangers may have sent them to any
    /// route, so no more than that is shown.
    pub(super) is_shown: bool,
    /// The versions of HTTP of which it had connections.
    pub(super) seen: [bool; VERSIONS.len()],
    pub(super) live: BTreeMap<ConnectionId, Arc<Record>>,
    /// What connections did that are closed.
    pub(super) past: Messages,
    pub(super) closed: BTreeMap<[&'static str; 3], u64>,
    pub(super) handshakes: BTreeMap<&'static str, u64>,
    pub(super) heartbeat_timeouts: u64,
}

impl Endpoint {
    pub(crate) fn new(name: &str, common: &Arc<Common>) -> Self {
        let inner = Inner {
            name: name.into(),
            made: common.clock.wall(common.clock.now()),
            common: Arc::clone(common),
            histograms: OnceLock::new(),
            queue_waits: OnceLock::new(),
            capacity: Arc::default(),
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
        self.inner.common.clock.nanos()
    }

    /// Has all of it shown from now on.
    pub(crate) fn show(&self) {
        let Inner { name, common, .. } = &*self.inner;
        let Timings {
            durations,
            flushes,
            rtts,
            ..
        } = &common.timings;
        let of = |family: &HistogramFamily<1>| family.with([&**name]).hold();
        self.inner.histograms.get_or_init(|| Histograms {
            durations: of(durations),
            flushes: of(flushes),
            rtts: of(rtts),
        });
        self.state().is_shown = true;
    }

    /// A connection began.
    pub(crate) fn open(&self, record: &Arc<Record>) -> ConnectionId {
        self.show();
        let id = self.list(record);
        // Looked at after it is listed, so that who stops the server either finds it there or is found out here.
        if let Some(code) = self.inner.common.draining.get() {
            // It was on its way when the server began to stop.
            record.orders.give(Order::shutdown(*code));
        }
        id
    }

    fn list(&self, record: &Arc<Record>) -> ConnectionId {
        let mut state = self.state();
        state.seen[place(record.version)] = true;
        loop {
            let id = ConnectionId::random();
            if let Entry::Vacant(vacant) = state.live.entry(id) {
                vacant.insert(Arc::clone(record));
                return id;
            }
        }
    }

    /// It has an outbox from now on.
    pub(crate) fn show_outbox(&self) {
        let Inner { name, common, .. } = &*self.inner;
        let family = &common.timings.queue_waits;
        self.inner.queue_waits.get_or_init(|| family.with([&**name]).hold());
    }

    /// A connection ended, of whose messages this became.
    pub(crate) fn close(&self, id: ConnectionId, record: &Record, messages: &Messages, ended: Ended) {
        let took = self.now().saturating_sub(record.began);
        let labels = [ended.initiator.as_str(), ended.cause.as_str(), ended.code.as_str()];
        let mut state = self.state();
        state.live.remove(&id);
        state.past.add(messages);
        *state.closed.entry(labels).or_default() += 1;
        drop(state);
        if let Some(Histograms { durations, .. }) = self.inner.histograms.get() {
            durations.observe_nanos(took);
        }
        self.inner.common.ended.notify_waiters();
    }

    /// A ping of ours was answered.
    pub(crate) fn observe_rtt(&self, nanos: u64) {
        if let Some(Histograms { rtts, .. }) = self.inner.histograms.get() {
            rtts.observe_nanos(nanos);
        }
    }

    pub(crate) fn count_heartbeat_timeout(&self) {
        self.state().heartbeat_timeouts += 1;
    }

    /// All open connections.
    pub(crate) fn live(&self) -> Vec<(ConnectionId, Arc<Record>)> {
        self.state()
            .live
            .iter()
            .map(|(id, record)| (*id, Arc::clone(record)))
            .collect()
    }

    /// An open connection.
    pub(crate) fn record(&self, id: ConnectionId) -> Option<Arc<Record>> {
        self.state().live.get(&id).cloned()
    }

    /// How many connections are open, and how many have ended.
    pub(crate) fn open_and_ended(&self) -> [u64; 2] {
        let state = self.state();
        [state.live.len() as u64, state.closed.values().sum()]
    }

    /// Messages were attempted on a connection that has ended, and dropped.
    pub(crate) fn count_late(&self, reason: DropReason, amount: Amount) {
        self.state()
            .past
            .sent
            .add_outbox(Amount::default(), &Dropped::one(reason, amount));
    }

    /// A batch of messages left, of which the first was accepted then.
    #[cold]
    pub(crate) fn observe_flush(&self, began: u64) {
        if let Some(Histograms { flushes, .. }) = self.inner.histograms.get() {
            flushes.observe_nanos(self.now().saturating_sub(began));
        }
    }

    /// A message leaves an outbox that it waited in for so long, in nanoseconds.
    #[cold]
    pub(crate) fn observe_queue_wait(&self, waited: u64) {
        if let Some(queue_waits) = self.inner.queue_waits.get() {
            queue_waits.observe_nanos(waited);
        }
    }

    pub(crate) fn count_handshake(&self, outcome: HandshakeOutcome) {
        *self.state().handshakes.entry(outcome.as_str()).or_default() += 1;
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For the extractor.
#[cfg(feature = "axum08")]
impl Endpoint {
    /// Whether the server stops.
    pub(crate) fn is_draining(&self) -> bool {
        self.inner.common.draining.get().is_some()
    }

    /// A place for another connection, unless all are taken.
    pub(crate) fn claim(&self, caps: crate::capacity::Caps) -> Option<crate::capacity::Permit> {
        crate::capacity::Permit::claim(&self.inner.capacity, &self.inner.common.capacity, caps)
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
