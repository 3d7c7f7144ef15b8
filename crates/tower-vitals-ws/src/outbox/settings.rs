use std::{fmt, sync::Arc, time::Duration};

use super::Overflow;

/// What an outbox may hold, and what happens when that is too little. Clones are for further connections.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use tower_vitals_ws::{Outbox, Overflow};
///
/// let outbox = Outbox::new()
///     .max_messages(64)
///     .overflow(Overflow::DropOldest)
///     .expires_in(Duration::from_secs(5))
///     .on_gap(|missed| format!("{{\"missed\":{missed}}}"));
/// # let _: Outbox<String> = outbox;
/// ```
#[must_use]
pub struct Outbox<M> {
    pub(super) max_messages: usize,
    pub(super) max_bytes: usize,
    pub(super) overflow: Overflow,
    pub(super) expires_in: Option<Duration>,
    pub(super) on_gap: Option<Arc<OnGap<M>>>,
}

/// Makes a message of how many were missed.
pub(super) type OnGap<M> = dyn Fn(u64) -> M + Send + Sync;

impl<M> Outbox<M> {
    /// Holds 1,024 messages and 1 MiB at most, and has senders wait for room for 10 seconds.
    pub fn new() -> Self {
        Self {
            max_messages: 1_024,
            max_bytes: 1 << 20,
            overflow: Overflow::DEFAULT,
            expires_in: None,
            on_gap: None,
        }
    }

    /// So many texts and binary messages may wait. 1,024 unless said otherwise; there is always room for one.
    pub fn max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages.max(1);
        self
    }

    /// So many bytes of payload may wait, 1 MiB unless said otherwise. A message that is larger is refused (`too_large`).
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// What happens to a message for which there is no room.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// For how long a message is good that does not say so itself: if it waits for longer it is dropped (`expired`). For ever unless said
    /// otherwise.
    ///
    /// That is seen when it would be handed over, or when something is sent for which there is no room.
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.expires_in = Some(time);
        self
    }

    /// Tells the other side that it missed messages: what `message` makes of their number goes ahead of the next text or binary message.
    /// What is missed between the two goes ahead of the one after it.
    ///
    /// Missed is what was dropped as `queue_full`, `evicted`, `expired`, `slow_consumer`, `send_timeout` or `lagged`. The message is
    /// neither bounded nor dropped by the outbox, and counts as any other.
    pub fn on_gap(mut self, message: impl Fn(u64) -> M + Send + Sync + 'static) -> Self {
        self.on_gap = Some(Arc::new(message));
        self
    }
}

impl<M> Default for Outbox<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> Clone for Outbox<M> {
    fn clone(&self) -> Self {
        Self {
            on_gap: self.on_gap.clone(),
            ..*self
        }
    }
}

impl<M> fmt::Debug for Outbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("max_messages", &self.max_messages)
            .field("max_bytes", &self.max_bytes)
            .field("overflow", &self.overflow)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}
