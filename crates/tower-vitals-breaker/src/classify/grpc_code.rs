use http::{HeaderMap, HeaderName};

/// The status of a gRPC call.
///
/// # Example
/// ```
/// use tower_vitals_breaker::GrpcCode;
///
/// assert_eq!(GrpcCode::from_number(14), GrpcCode::Unavailable);
/// assert_eq!(GrpcCode::from_number(-1), GrpcCode::Unknown);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrpcCode {
    /// `OK`, 0.
    Ok,
    /// `CANCELLED`, 1.
    Cancelled,
    /// `UNKNOWN`, 2.
    Unknown,
    /// `INVALID_ARGUMENT`, 3.
    InvalidArgument,
    /// `DEADLINE_EXCEEDED`, 4.
    DeadlineExceeded,
    /// `NOT_FOUND`, 5.
    NotFound,
    /// `ALREADY_EXISTS`, 6.
    AlreadyExists,
    /// `PERMISSION_DENIED`, 7.
    PermissionDenied,
    /// `RESOURCE_EXHAUSTED`, 8.
    ResourceExhausted,
    /// `FAILED_PRECONDITION`, 9.
    FailedPrecondition,
    /// `ABORTED`, 10.
    Aborted,
    /// `OUT_OF_RANGE`, 11.
    OutOfRange,
    /// `UNIMPLEMENTED`, 12.
    Unimplemented,
    /// `INTERNAL`, 13.
    Internal,
    /// `UNAVAILABLE`, 14.
    Unavailable,
    /// `DATA_LOSS`, 15.
    DataLoss,
    /// `UNAUTHENTICATED`, 16.
    Unauthenticated,
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// In the order of their numbers.
const NUMBERED: [GrpcCode; 17] = [
    GrpcCode::Ok,
    GrpcCode::Cancelled,
    GrpcCode::Unknown,
    GrpcCode::InvalidArgument,
    GrpcCode::DeadlineExceeded,
    GrpcCode::NotFound,
    GrpcCode::AlreadyExists,
    GrpcCode::PermissionDenied,
    GrpcCode::ResourceExhausted,
    GrpcCode::FailedPrecondition,
    GrpcCode::Aborted,
    GrpcCode::OutOfRange,
    GrpcCode::Unimplemented,
    GrpcCode::Internal,
    GrpcCode::Unavailable,
    GrpcCode::DataLoss,
    GrpcCode::Unauthenticated,
];

impl GrpcCode {
    /// The code of a number. What is no known number is [`Unknown`](Self::Unknown), as it is for gRPC's clients.
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        let code = usize::try_from(number).ok().and_then(|number| NUMBERED.get(number));
        code.copied().unwrap_or(Self::Unknown)
    }

    /// What the headers of a response without messages, or the trailers of any other, say in `grpc-status`.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let number = match headers.get(GRPC_STATUS)?.as_bytes() {
            [digit @ b'0'..=b'9'] => i32::from(digit - b'0'),
            [b'1', digit @ b'0'..=b'9'] => i32::from(10 + digit - b'0'),
            _ => -1,
        };
        Some(Self::from_number(number))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(value: &[u8]) -> Option<GrpcCode> {
        let value = HeaderValue::from_bytes(value).unwrap();
        GrpcCode::of(&HeaderMap::from_iter([(GRPC_STATUS, value)]))
    }

    #[test]
    fn numbers_are_those_of_grpc() {
        for (number, code) in NUMBERED.into_iter().enumerate() {
            assert_eq!(code as usize, number);
            assert_eq!(of(number.to_string().as_bytes()), Some(code));
            assert_eq!(GrpcCode::from_number(i32::try_from(number).unwrap()), code);
        }
        assert_eq!(GrpcCode::Unavailable as u8, 14);
        assert_eq!(GrpcCode::Unauthenticated as u8, 16);
    }

    #[test]
    fn what_is_no_known_number_is_unknown() {
        for strange in [
            &b"17"[..],
            b"99",
            b"100",
            b"-1",
            b"+1",
            b"1.0",
            b"OK",
            b"",
            b"1 6",
            b"4294967296",
            b"\xff",
        ] {
            assert_eq!(of(strange), Some(GrpcCode::Unknown), "{strange:?}");
        }
        assert_eq!(GrpcCode::of(&HeaderMap::new()), None);
        for strange in [17, -1, i32::MIN, i32::MAX] {
            assert_eq!(GrpcCode::from_number(strange), GrpcCode::Unknown);
        }
    }
}
