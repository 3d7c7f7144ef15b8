use tower_vitals_core::closed_label;

closed_label! {
    /// What a message is.
    pub enum MessageKind {
        /// Text.
        Text => "text",
        /// Bytes.
        Binary => "binary",
        /// Asks for a pong.
        Ping => "ping",
        /// Answers a ping.
        Pong => "pong",
        /// Closes the connection.
        Close => "close",
    }
}

/// What a message of a WebSocket library tells about itself. Those of axum, tungstenite and tokio-websockets have it by features of this
/// crate.
pub trait WsMessage {
    /// What it is.
    fn kind(&self) -> MessageKind;

    /// The bytes of its payload, without the frame around it.
    fn payload_len(&self) -> usize;

    /// The code of a message that closes the connection: none when it has none, or closes nothing.
    fn close_code(&self) -> Option<u16>;
}
