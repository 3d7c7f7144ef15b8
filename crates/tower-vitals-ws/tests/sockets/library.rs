use std::{fmt::Debug, future::Future};

use tokio::io::{AsyncRead, AsyncWrite};
use tower_vitals_ws::{Socket, WsError, WsMessage};

/// A message of any library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

pub(crate) fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

pub(crate) fn close(code: u16) -> Said {
    Said::Close(Some((code, String::new())))
}

/// What a connection runs over.
pub(crate) trait Io: AsyncRead + AsyncWrite + Debug + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Debug + Unpin + Send + 'static> Io for T {}

/// A library, and its sockets of the server's side. None takes a message of more than 1 MiB.
pub(crate) trait Library: Send + Sync + 'static {
    type Message: WsMessage + Send + 'static;
    type Error: WsError + Debug + Send + 'static;
    type Socket<T: Io>: Socket<Message = Self::Message, Error = Self::Error> + Send + 'static;

    fn serve<T: Io>(io: T) -> impl Future<Output = Self::Socket<T>> + Send;

    fn message(said: &Said) -> Self::Message;

    fn said(message: Self::Message) -> Said;
}

const MOST: usize = 1 << 20;

macro_rules! tungstenite {
    ($library:ident, $version:ident) => {
        pub(crate) struct $library;

        impl Library for $library {
            type Message = $version::tungstenite::Message;
            type Error = $version::tungstenite::Error;
            type Socket<T: Io> = $version::WebSocketStream<T>;

            async fn serve<T: Io>(io: T) -> Self::Socket<T> {
                use $version::tungstenite::protocol::{Role, WebSocketConfig};
                let config = WebSocketConfig::default()
                    .max_message_size(Some(MOST))
                    .max_frame_size(Some(MOST));
                $version::WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await
            }

            fn message(said: &Said) -> Self::Message {
                use $version::tungstenite::{Message, protocol::CloseFrame};
                match said.clone() {
                    Said::Text(text) => Message::text(text),
                    Said::Binary(data) => Message::binary(data),
                    Said::Ping(data) => Message::Ping(data.into()),
                    Said::Pong(data) => Message::Pong(data.into()),
                    Said::Close(frame) => Message::Close(frame.map(|(code, reason)| CloseFrame {
                        code: code.into(),
                        reason: reason.into(),
                    })),
                }
            }

            fn said(message: Self::Message) -> Said {
                use $version::tungstenite::Message;
                match message {
                    Message::Text(text) => Said::Text(text.to_string()),
                    Message::Binary(data) => Said::Binary(data.to_vec()),
                    Message::Ping(data) => Said::Ping(data.to_vec()),
                    Message::Pong(data) => Said::Pong(data.to_vec()),
                    Message::Close(frame) => Said::Close(frame.map(|frame| (frame.code.into(), frame.reason.to_string()))),
                    Message::Frame(frame) => panic!("{frame} was given"),
                }
            }
        }
    };
}

tungstenite!(Tungstenite029, tokio_tungstenite029);
tungstenite!(Tungstenite030, tokio_tungstenite030);

pub(crate) struct TokioWebsockets013;

impl Library for TokioWebsockets013 {
    type Message = tokio_websockets::Message;
    type Error = tokio_websockets::Error;
    type Socket<T: Io> = tokio_websockets::WebSocketStream<T>;

    async fn serve<T: Io>(io: T) -> Self::Socket<T> {
        let limits = tokio_websockets::Limits::default().max_payload_len(Some(MOST));
        tokio_websockets::ServerBuilder::new().limits(limits).serve(io)
    }

    fn message(said: &Said) -> Self::Message {
        match said.clone() {
            Said::Text(text) => Self::Message::text(text),
            Said::Binary(data) => Self::Message::binary(data),
            Said::Ping(data) => Self::Message::ping(data),
            Said::Pong(data) => Self::Message::pong(data),
            Said::Close(None) => Self::Message::close(None, ""),
            Said::Close(Some((code, reason))) => Self::Message::close(Some(code.try_into().unwrap()), &reason),
        }
    }

    fn said(message: Self::Message) -> Said {
        let payload = message.as_payload().to_vec();
        match message.as_close() {
            _ if message.is_text() => Said::Text(String::from_utf8(payload).unwrap()),
            _ if message.is_binary() => Said::Binary(payload),
            _ if message.is_ping() => Said::Ping(payload),
            _ if message.is_pong() => Said::Pong(payload),
            Some(_) if payload.is_empty() => Said::Close(None),
            Some((code, reason)) => Said::Close(Some((code.into(), reason.to_owned()))),
            None => panic!("{message:?} is nothing"),
        }
    }
}

/// A test for each library.
macro_rules! with_each_library {
    ($($test:ident),+ $(,)?) => {
        with_each_library!(@ tungstenite029, Tungstenite029, $($test),+);
        with_each_library!(@ tungstenite030, Tungstenite030, $($test),+);
        with_each_library!(@ tokio_websockets013, TokioWebsockets013, $($test),+);
    };
    (@ $name:ident, $library:ident, $($test:ident),+) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test::<crate::library::$library>().await;
                }
            )+
        }
    };
}
