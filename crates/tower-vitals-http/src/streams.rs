use tower_vitals_core::closed_label;

closed_label! {
    /// What makes a response a stream. Streams last as long as somebody listens, so their durations are kept apart.
    pub(crate) enum StreamKind {
        /// `text/event-stream`
        EventStream => "event_stream",
        /// `multipart/x-mixed-replace`
        MixedReplace => "mixed_replace",
        /// A gRPC call with more than one message in one direction.
        Grpc => "grpc",
        /// Its route is marked so.
        Marked => "marked",
    }
}
