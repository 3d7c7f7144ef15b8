/// What an error of a WebSocket library means for its connection. Those of axum, tungstenite and tokio-websockets tell it by features of
/// this crate.
pub trait WsError: Sized {
    /// What kind of error it is.
    fn failure(&self) -> Failure;

    /// What the library says of a connection that has been closed.
    fn closed() -> Self;
}

/// What kinds of errors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The connection has just been closed as it should be, and all that waited has been written.
    Finished,
    /// The connection had been closed.
    Closed,
    /// The connection below is gone: nothing can be sent any more.
    Reset,
    /// The connection below failed in another way, and may go on.
    Io,
    /// What came breaks the protocol.
    Protocol,
    /// A text that came is not UTF-8.
    InvalidUtf8,
    /// A message that came or was to be sent is larger than allowed.
    TooLarge,
    /// What waits to be sent has no room for this message. The connection goes on.
    WriteBufferFull,
    /// Something else.
    Other,
}
