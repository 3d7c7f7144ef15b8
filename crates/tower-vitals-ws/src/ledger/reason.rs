use tower_vitals_core::closed_label;

closed_label! {
    /// Why a message that the application wanted to send was not sent, as far as this side can tell.
    #[non_exhaustive]
    pub enum DropReason {
        /// Whoever waited to send it went away before it was accepted.
        Cancelled => "cancelled",
        /// The connection had been closed.
        Closed => "closed",
        /// It would have closed a connection that was being closed already: nothing is lost.
        Closing => "closing",
        /// The connection was dropped before a flush confirmed that it left. Some of these may have left.
        ConnectionDropped => "connection_dropped",
        /// Writing to the connection below failed for good before a flush confirmed that it left.
        IoError => "io_error",
        /// The library refused it for another reason.
        Refused => "refused",
        /// It is larger than may be sent.
        TooLarge => "too_large",
        /// What waited to be sent left no room for it.
        WriteBufferFull => "write_buffer_full",
    }
}
