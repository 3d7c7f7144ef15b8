use futures_core::Stream;
use futures_sink::Sink;

use crate::{WsError, WsMessage};

/// A WebSocket of any library: a stream and a sink of messages. Whatever is both, with messages and errors that tell about themselves, is
/// one.
pub trait Socket:
    Stream<Item = Result<Self::Message, <Self as Socket>::Error>> + Sink<Self::Message, Error = <Self as Socket>::Error> + Unpin
{
    /// Its messages.
    type Message: WsMessage;

    /// Its errors.
    type Error: WsError;
}

impl<S, M, E> Socket for S
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: WsMessage,
    E: WsError,
{
    type Message = M;
    type Error = E;
}
