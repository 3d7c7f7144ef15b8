use tower_vitals_core::closed_label;

use crate::CloseCode;

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

/// What a message of a WebSocket library tells about itself, and the two that this crate makes. Those of axum, tungstenite and
/// tokio-websockets have it by features of this crate.
pub trait WsMessage: Sized {
    /// What it is.
    fn kind(&self) -> MessageKind;

    /// The bytes of its payload, without the frame around it.
    fn payload_len(&self) -> usize;

    /// Its kind and the bytes of its payload, if it is a text or bytes. None is right for any message, and takes longer to count.
    #[inline]
    fn data(&self) -> Option<(MessageKind, usize)> {
        match self.kind() {
            kind @ (MessageKind::Text | MessageKind::Binary) => Some((kind, self.payload_len())),
            MessageKind::Ping | MessageKind::Pong | MessageKind::Close => None,
        }
    }

    /// The code of a message that closes the connection: none when it has none, or closes nothing.
    fn close_code(&self) -> Option<u16>;

    /// What a ping or a pong carries. Of other messages it may be empty.
    fn payload(&self) -> &[u8];

    /// A ping with this payload, of at most 125 bytes.
    fn ping(payload: &[u8]) -> Self;

    /// A message that closes, with this code and a reason of at most 123 bytes.
    fn close(code: CloseCode, reason: &str) -> Self;
}
