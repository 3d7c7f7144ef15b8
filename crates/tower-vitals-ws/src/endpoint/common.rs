use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;
use tower_vitals_core::Clock;

use crate::{CloseCode, capacity::Capacity, metrics::Timings};

/// What all endpoints of a [`Vitals`](tower_vitals_core::Vitals) share.
pub(crate) struct Common {
    pub(crate) clock: Clock,
    pub(crate) timings: Timings,
    #[cfg_attr(not(feature = "axum08"), allow(dead_code, reason = "only the extractor claims places"))]
    pub(crate) capacity: Arc<Capacity>,
    /// Told whenever a connection ends.
    pub(crate) ended: Notify,
    /// With which code connections are closed since the server stops.
    pub(crate) draining: OnceLock<CloseCode>,
}

impl Common {
    /// The server stops.
    pub(crate) fn drain_with(&self, code: CloseCode) {
        // Whoever says it first decides; the same connections are closed either way.
        let _ = self.draining.set(code);
    }
}
