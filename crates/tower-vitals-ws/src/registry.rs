use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use tower_vitals_core::{OTHER, Vitals, label_value};

use crate::{
    CloseCause, CloseCode, Connection, ConnectionId, Drain, Drained, Endpoint, SortBy,
    connection::Order,
    endpoint::{Common, Row},
    metrics::{self, Families},
};

/// The endpoints of a [`Vitals`] and their WebSockets.
///
/// # Example
/// ```
/// use tower_vitals_core::Vitals;
/// use tower_vitals_ws::WebSockets;
///
/// let vitals = Vitals::new();
/// let sockets = WebSockets::of(&vitals);
/// let chat = sockets.endpoint("chat");
/// assert_eq!(chat.name(), "chat");
/// ```
#[derive(Clone)]
pub struct WebSockets {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    of_name: BTreeMap<Box<str>, Endpoint>,
    registered: Option<Registered>,
}

struct Registered {
    common: Arc<Common>,
    overflow: Overflow,
}

/// Counts a name that found no room.
type Overflow = Arc<dyn Fn() + Send + Sync>;

/// How many endpoints there may be; the rest is `_other`.
const MOST: usize = 1_000;

impl WebSockets {
    /// Those of this Vitals, whose metrics are registered the first time. It cannot fail, because our names and labels are kept free. The
    /// Vitals is not kept.
    #[must_use]
    pub fn of(vitals: &Vitals) -> Self {
        let inner = vitals.extension(Inner::default);
        let sockets = Self { inner };
        let mut known = sockets.known();
        if known.registered.is_none() {
            let rows = sockets.clone();
            let Families { calls, timings } = match metrics::register(vitals, move || rows.rows()) {
                Ok(families) => families,
                Err(error) => unreachable!("our names and labels are kept free: {error}"),
            };
            let common = Common {
                clock: vitals.clock().clone(),
                timings,
                capacity: Arc::default(),
                ended: Notify::new(),
                draining: OnceLock::new(),
            };
            known.registered = Some(Registered {
                common: Arc::new(common),
                overflow: Arc::new(vitals.overflow_counter(&calls, "endpoint", MOST)),
            });
        }
        drop(known);
        sockets
    }

    /// The endpoint of this name, which is made if there is none. The name is a route's template or another that comes from code.
    ///
    /// There are at most 1,000 of them; all further names are the endpoint `_other`.
    #[must_use]
    pub fn endpoint(&self, name: &str) -> Endpoint {
        let endpoint = self.endpoint_of_handshake(name);
        endpoint.show();
        endpoint
    }

    /// Open connections, sorted by this, the first so many of them.
    ///
    /// It looks at all that are open, and holds no lock for longer than to list those of an endpoint.
    #[must_use]
    pub fn connections(&self, by: SortBy, most: usize) -> Vec<Connection> {
        let mut connections = Vec::new();
        // The same for all, so that they can be compared.
        let now = self.common().clock.nanos();
        for endpoint in self.endpoints() {
            let live = endpoint.live();
            connections.extend(live.into_iter().map(|(id, record)| record.list(endpoint.name(), id, now)));
        }
        by.first(connections, most)
    }

    /// Has an open connection closed with this code, for its cause `kicked`. Whether there was one that was not being closed by this side
    /// already.
    ///
    /// Its task closes it, as soon as it polls the socket to receive or to send; a task that waits for the socket is woken. What waits in an
    /// outbox is dropped (`closed`). That needs a runtime of tokio that has time enabled.
    #[allow(clippy::must_use_candidate, reason = "it does something")]
    pub fn kick(&self, id: ConnectionId, code: CloseCode) -> bool {
        let record = self.endpoints().iter().find_map(|endpoint| endpoint.record(id));
        record.is_some_and(|record| {
            record.orders.give(Order {
                cause: CloseCause::Kicked,
                code,
                reason: "",
            })
        })
    }

    /// Closes all open connections in rounds, for the cause `shutdown`, and waits until they have ended or the time for it is over. Each is
    /// closed as by [`kick`](Self::kick). From now on handshakes are refused, with 503 and as `shutdown`, and what still becomes a connection is closed at once.
    ///
    /// # Cancel safety
    /// Dropped, it leaves the connections of further rounds open; handshakes stay refused.
    ///
    /// # Example
    /// With axum, connections are drained before the server stops:
    /// ```no_run
    /// # use axum::Router;
    /// # use tokio::net::TcpListener;
    /// use tower_vitals_ws::{Drain, WebSockets};
    ///
    /// # async fn stop_signal() {}
    /// # async fn serve(listener: TcpListener, app: Router, sockets: WebSockets) -> std::io::Result<()> {
    /// let stop = async move {
    ///     stop_signal().await;
    ///     sockets.drain(Drain::new()).await;
    /// };
    /// axum::serve(listener, app).with_graceful_shutdown(stop).await
    /// # }
    /// ```
    pub async fn drain(&self, drain: Drain) -> Drained {
        self.common().drain_with(drain.code);
        let [_, ended] = self.open_and_ended();
        let rounds = u64::from(drain.rounds.get());
        let pause = drain.over / drain.rounds.get().saturating_sub(1).max(1);
        for round in 0..rounds {
            if round > 0 {
                self.until_empty(pause).await;
            }
            self.close_round(round, rounds, drain.code);
        }
        self.until_empty(drain.grace).await;
        let [left, closed] = self.open_and_ended();
        Drained {
            closed: closed.saturating_sub(ended),
            left,
        }
    }

    fn close_round(&self, round: u64, rounds: u64, code: CloseCode) {
        for endpoint in self.endpoints() {
            // Those that opened since, in places of earlier rounds, too.
            let live = endpoint.live().into_iter().filter(|(id, _)| id.place(rounds) <= round);
            live.for_each(|(_, record)| {
                record.orders.give(Order::shutdown(code));
            });
        }
    }

    /// Waits until there are no connections, for so long at most.
    async fn until_empty(&self, most: Duration) {
        let common = self.common();
        let emptied = async {
            loop {
                let ended = common.ended.notified();
                tokio::pin!(ended);
                ended.as_mut().enable();
                if self.open_and_ended()[0] == 0 {
                    return;
                }
                ended.await;
            }
        };
        // That it takes too long is the other way to end.
        let _ = tokio::time::timeout(most, emptied).await;
    }

    /// How many connections are open, and how many have ended.
    fn open_and_ended(&self) -> [u64; 2] {
        let endpoints = self.endpoints();
        let counts = endpoints.iter().map(Endpoint::open_and_ended);
        counts.fold([0, 0], |[open, ended], [here, gone]| [open + here, ended + gone])
    }

    fn common(&self) -> Arc<Common> {
        Arc::clone(&self.known().registered().common)
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.known().of_name.values().cloned().collect()
    }

    /// The same, of which nothing but handshakes is shown until it has a connection.
    pub(crate) fn endpoint_of_handshake(&self, name: &str) -> Endpoint {
        let name = label_value(name);
        let (endpoint, overflow) = self.known().endpoint(&name);
        // Without the lock, as it may write to the log.
        if let Some(overflow) = overflow {
            overflow();
        }
        endpoint
    }

    /// Whether these are the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    fn rows(&self) -> Vec<Row> {
        self.endpoints().iter().map(Endpoint::row).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The endpoint of this name, and how to count that there was no room for the name.
    fn endpoint(&mut self, name: &str) -> (Endpoint, Option<Overflow>) {
        if let Some(endpoint) = self.of_name.get(name) {
            return (endpoint.clone(), None);
        }
        let registered = self.registered();
        let is_full = self.of_name.len() >= MOST;
        let overflow = is_full.then(|| Arc::clone(&registered.overflow));
        let common = Arc::clone(&registered.common);
        let name = if is_full { OTHER } else { name };
        let endpoint = self
            .of_name
            .entry(name.into())
            .or_insert_with(|| Endpoint::new(name, &common));
        (endpoint.clone(), overflow)
    }

    fn registered(&self) -> &Registered {
        match &self.registered {
            Some(registered) => registered,
            None => unreachable!("it is registered before anybody has it"),
        }
    }
}

impl fmt::Debug for WebSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSockets")
            .field("endpoints", &self.known().of_name.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use tower_vitals_core::encode::Protocol;

    use super::*;

    #[test]
    fn names_beyond_the_budget_share_an_endpoint() {
        let vitals = Vitals::new();
        let sockets = WebSockets::of(&vitals);
        for name in 0..MOST {
            assert_eq!(sockets.endpoint(&name.to_string()).name(), name.to_string());
        }
        for name in ["one", "more", "one"] {
            assert_eq!(sockets.endpoint(name).name(), OTHER);
        }
        assert_eq!(sockets.endpoint("7").name(), "7");
        assert_eq!(sockets.rows().len(), MOST + 1);
        let text = vitals.encode_to_string(Protocol::TEXT);
        let overflow = text.lines().find(|line| line.starts_with("vitals_label_overflow_total{"));
        assert!(
            overflow.is_some_and(|line| line.contains("websocket_connections") && line.ends_with(" 3")),
            "{overflow:?}"
        );
    }
}
