use tower_vitals_core::closed_label;

closed_label! {
    /// How a request ended. Every request that a service was called with ends in exactly one of these.
    #[non_exhaustive]
    pub enum Outcome {
        /// A head was sent and the body, if there is one, came to its end. The status may be of any class: a timeout's 408 and the 500
        /// of a caught panic are completed, too.
        Completed => "completed",
        /// The caller went away before the head or inside the body.
        Aborted => "aborted",
        /// The service or the body gave an error, or the body ended before the size that its head promised.
        Failed => "failed",
        /// The service or the body panicked.
        Panicked => "panicked",
    }
}
