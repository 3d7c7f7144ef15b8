use std::error::Error as _;

use axum::{
    Error,
    extract::ws::{CloseFrame, Message},
};
use tokio_tungstenite029::tungstenite;

use crate::{CloseCode, Failure, MessageKind, WsError, WsMessage};

impl WsMessage for Message {
    #[inline]
    fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
            Self::Ping(_) => MessageKind::Ping,
            Self::Pong(_) => MessageKind::Pong,
            Self::Close(_) => MessageKind::Close,
        }
    }

    #[inline]
    fn payload_len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(data) | Self::Ping(data) | Self::Pong(data) => data.len(),
            // The code takes two bytes.
            Self::Close(frame) => frame.as_ref().map_or(0, |frame| 2 + frame.reason.len()),
        }
    }

    fn close_code(&self) -> Option<u16> {
        match self {
            Self::Close(Some(frame)) => Some(frame.code),
            _ => None,
        }
    }

    fn payload(&self) -> &[u8] {
        match self {
            Self::Ping(data) | Self::Pong(data) => data,
            _ => &[],
        }
    }

    fn ping(payload: &[u8]) -> Self {
        Self::Ping(payload.to_vec().into())
    }

    fn close(code: CloseCode, reason: &str) -> Self {
        Self::Close(Some(CloseFrame {
            code: code.get(),
            reason: reason.into(),
        }))
    }
}

impl WsError for Error {
    fn failure(&self) -> Failure {
        let below = self.source().and_then(|error| error.downcast_ref::<tungstenite::Error>());
        below.map_or(Failure::Other, WsError::failure)
    }

    fn closed() -> Self {
        Self::new(tungstenite::Error::AlreadyClosed)
    }
}
