//! Two versions of tungstenite whose types are written alike and are not the same.

macro_rules! bind {
    ($version:ident) => {
        mod $version {
            use $version::tungstenite::{
                Error, Message,
                error::{CapacityError, ProtocolError},
                protocol::{
                    CloseFrame,
                    frame::coding::{Control, OpCode},
                },
            };

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
                        Self::Frame(frame) => match frame.header().opcode {
                            OpCode::Control(Control::Ping) => MessageKind::Ping,
                            OpCode::Control(Control::Pong) => MessageKind::Pong,
                            OpCode::Control(Control::Close) => MessageKind::Close,
                            OpCode::Control(Control::Reserved(_)) | OpCode::Data(_) => MessageKind::Binary,
                        },
                    }
                }

                #[inline]
                fn payload_len(&self) -> usize {
                    match self {
                        Self::Text(text) => text.len(),
                        Self::Binary(data) | Self::Ping(data) | Self::Pong(data) => data.len(),
                        // The code takes two bytes.
                        Self::Close(frame) => frame.as_ref().map_or(0, |frame| 2 + frame.reason.len()),
                        Self::Frame(frame) => frame.payload().len(),
                    }
                }

                // Without a look into frames, which nobody receives and hardly anybody sends.
                #[inline(always)]
                fn data(&self) -> Option<(MessageKind, usize)> {
                    match self {
                        Self::Text(text) => Some((MessageKind::Text, text.len())),
                        Self::Binary(data) => Some((MessageKind::Binary, data.len())),
                        _ => None,
                    }
                }

                fn close_code(&self) -> Option<u16> {
                    match self {
                        Self::Close(Some(frame)) => Some(frame.code.into()),
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
                        code: code.get().into(),
                        reason: reason.into(),
                    }))
                }
            }

            impl WsError for Error {
                fn failure(&self) -> Failure {
                    match self {
                        Self::ConnectionClosed => Failure::Finished,
                        Self::AlreadyClosed
                        | Self::Protocol(ProtocolError::SendAfterClosing | ProtocolError::ReceivedAfterClosing) => {
                            Failure::Closed
                        }
                        Self::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Failure::Reset,
                        Self::Protocol(_) | Self::AttackAttempt => Failure::Protocol,
                        Self::Io(error) => crate::bindings::io::failure(error),
                        Self::Tls(_) => Failure::Io,
                        Self::Capacity(CapacityError::MessageTooLong { .. }) => Failure::TooLarge,
                        Self::Capacity(_) => Failure::Protocol,
                        Self::WriteBufferFull(_) => Failure::WriteBufferFull,
                        Self::Utf8(_) => Failure::InvalidUtf8,
                        _ => Failure::Other,
                    }
                }

                fn closed() -> Self {
                    Self::AlreadyClosed
                }
            }
        }
    };
}

#[cfg(feature = "tungstenite029")]
bind!(tokio_tungstenite029);
#[cfg(feature = "tungstenite030")]
bind!(tokio_tungstenite030);
