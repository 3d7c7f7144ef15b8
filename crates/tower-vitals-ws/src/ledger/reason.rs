use tower_vitals_core::closed_label;

closed_label! {
    /// Why a message that the application wanted to send was not sent, as far as this side can tell.
    #[non_exhaustive]
    pub enum DropReason {
        /// Whoever waited to send it went away before it was accepted.
        Cancelled => "cancelled",
        /// The connection had been closed.
        Closed => "closed",
        /// A newer message took its place in the outbox.
        Coalesced => "coalesced",
        /// It would have closed a connection that was being closed already: nothing is lost.
        Closing => "closing",
        /// The connection was dropped before a flush confirmed that it left. Some of these may have left.
        ConnectionDropped => "connection_dropped",
        /// The outbox was full, and newer messages took its room.
        Evicted => "evicted",
        /// It waited in the outbox for longer than it was good for.
        Expired => "expired",
        /// Writing to the connection below failed for good before a flush confirmed that it left.
        IoError => "io_error",
        /// A broadcast went on without this connection.
        Lagged => "lagged",
        /// The outbox was full.
        QueueFull => "queue_full",
        /// The library refused it for another reason.
        Refused => "refused",
        /// It waited too long for room in the outbox.
        SendTimeout => "send_timeout",
        /// The connection was too slow, and was or would have been closed for it.
        SlowConsumer => "slow_consumer",
        /// It is larger than may be sent.
        TooLarge => "too_large",
        /// What waited to be sent left no room for it.
        WriteBufferFull => "write_buffer_full",
    }
}
