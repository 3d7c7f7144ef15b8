use tower_vitals_core::closed_label;

closed_label! {
    /// What came of a handshake.
    #[non_exhaustive]
    pub enum HandshakeOutcome {
        /// It was answered with success, as if it were another request: nothing was made of it.
        Abandoned => "abandoned",
        /// Whoever asked went away, or the server stopped.
        Cancelled => "cancelled",
        /// It was refused with a status of the application: by the handler, another extractor or layer, or because there is no route. Or
        /// the service failed.
        Denied => "denied",
        /// There is a WebSocket.
        Established => "established",
        /// The header field `Connection` does not ask for an upgrade.
        InvalidConnection => "invalid_connection",
        /// The pseudo-header field `:protocol` does not say `websocket`.
        InvalidProtocol => "invalid_protocol",
        /// The header field `Upgrade` does not say `websocket`.
        InvalidUpgrade => "invalid_upgrade",
        /// The header field `Sec-WebSocket-Version` does not say 13.
        InvalidVersion => "invalid_version",
        /// The method is not GET or, from HTTP/2 on, not CONNECT.
        Method => "method",
        /// There is no header field `Sec-WebSocket-Key`.
        MissingKey => "missing_key",
        /// The server cannot give the connection away.
        NotUpgradable => "not_upgradable",
        /// There are as many connections as there may be, at this endpoint or in all.
        OverCapacity => "over_capacity",
        /// Something panicked before there was an answer.
        Panicked => "panicked",
        /// The server stops.
        Shutdown => "shutdown",
        /// Something else than `MeteredUpgrade` made a WebSocket of it, such as axum's own extractor.
        Unmetered => "unmetered",
        /// It was answered, but the connection could not be taken over.
        UpgradeFailed => "upgrade_failed",
    }
}
