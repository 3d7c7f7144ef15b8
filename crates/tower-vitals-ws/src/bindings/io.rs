use std::io;

use crate::Failure;

/// An error of reading or writing below the WebSocket.
pub(super) fn failure(error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::BrokenPipe
        | Kind::ConnectionAborted
        | Kind::ConnectionReset
        | Kind::NotConnected
        | Kind::UnexpectedEof
        | Kind::WriteZero => Failure::Reset,
        _ => Failure::Io,
    }
}
