use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tower_vitals_core::{Clock, HistogramFamily, OTHER, RegisterError, Vitals, label_value};

use crate::{
    Endpoint,
    endpoint::Row,
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
/// let sockets = WebSockets::of(&vitals)?;
/// let chat = sockets.endpoint("chat");
/// assert_eq!(chat.name(), "chat");
/// # Ok::<(), tower_vitals_core::RegisterError>(())
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
    clock: Clock,
    durations: HistogramFamily<1>,
    overflow: Overflow,
}

/// Counts a name that found no room.
type Overflow = Arc<dyn Fn() + Send + Sync>;

/// How many endpoints there may be; the rest is `_other`.
const MOST: usize = 1_000;

impl WebSockets {
    /// Those of this Vitals, whose metrics are registered the first time. The Vitals is not kept.
    ///
    /// # Errors
    /// When a metric of ours has a name or a label that is taken.
    pub fn of(vitals: &Vitals) -> Result<Self, RegisterError> {
        let inner = vitals.extension(Inner::default);
        let sockets = Self { inner };
        let mut known = sockets.known();
        if known.registered.is_none() {
            let rows = sockets.clone();
            let Families { calls, durations } = metrics::register(vitals, move || rows.rows())?;
            known.registered = Some(Registered {
                clock: vitals.clock().clone(),
                durations,
                overflow: Arc::new(vitals.overflow_counter(&calls, "endpoint", MOST)),
            });
        }
        drop(known);
        Ok(sockets)
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
        let endpoints: Vec<_> = self.known().of_name.values().cloned().collect();
        endpoints.iter().map(Endpoint::row).collect()
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
        let Some(registered) = &self.registered else {
            unreachable!("it is registered before anybody has it")
        };
        let is_full = self.of_name.len() >= MOST;
        let overflow = is_full.then(|| Arc::clone(&registered.overflow));
        let name = if is_full { OTHER } else { name };
        let endpoint = self
            .of_name
            .entry(name.into())
            .or_insert_with(|| Endpoint::new(name, registered.clock.clone(), registered.durations.clone()));
        (endpoint.clone(), overflow)
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
        let sockets = WebSockets::of(&vitals).unwrap();
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
