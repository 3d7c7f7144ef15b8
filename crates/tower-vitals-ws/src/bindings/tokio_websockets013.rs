use tokio_websockets::{Error, Message, proto::ProtocolError};

use crate::{CloseCode, Failure, MessageKind, WsError, WsMessage};

impl WsMessage for Message {
    #[inline]
    fn kind(&self) -> MessageKind {
        if self.is_text() {
            MessageKind::Text
        } else if self.is_binary() {
            MessageKind::Binary
        } else if self.is_ping() {
            MessageKind::Ping
        } else if self.is_pong() {
            MessageKind::Pong
        } else {
            MessageKind::Close
        }
    }

    #[inline]
    fn payload_len(&self) -> usize {
        self.as_payload().len()
    }

    fn close_code(&self) -> Option<u16> {
        let is_there = !self.as_payload().is_empty();
        self.as_close().filter(|_| is_there).map(|(code, _)| code.into())
    }

    fn payload(&self) -> &[u8] {
        self.as_payload()
    }

    fn ping(payload: &[u8]) -> Self {
        Self::ping(payload.to_vec())
    }

    fn close(code: CloseCode, reason: &str) -> Self {
        // What it does not know is none of its codes.
        Self::close(code.get().try_into().ok(), reason)
    }
}

impl WsError for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::AlreadyClosed => Failure::Closed,
            Self::Protocol(ProtocolError::InvalidUtf8) => Failure::InvalidUtf8,
            Self::Protocol(_) => Failure::Protocol,
            Self::PayloadTooLong { .. } => Failure::TooLarge,
            Self::Io(error) => super::io::failure(error),
            _ => Failure::Other,
        }
    }

    fn closed() -> Self {
        Self::AlreadyClosed
    }
}
