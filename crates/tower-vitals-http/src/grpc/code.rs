use http::{HeaderMap, HeaderName, StatusCode};
use tower_vitals_core::closed_label;

closed_label! {
    /// The status of a gRPC call, in the order of its numbers.
    pub(crate) enum GrpcCode {
        Ok => "OK",
        Cancelled => "CANCELLED",
        Unknown => "UNKNOWN",
        InvalidArgument => "INVALID_ARGUMENT",
        DeadlineExceeded => "DEADLINE_EXCEEDED",
        NotFound => "NOT_FOUND",
        AlreadyExists => "ALREADY_EXISTS",
        PermissionDenied => "PERMISSION_DENIED",
        ResourceExhausted => "RESOURCE_EXHAUSTED",
        FailedPrecondition => "FAILED_PRECONDITION",
        Aborted => "ABORTED",
        OutOfRange => "OUT_OF_RANGE",
        Unimplemented => "UNIMPLEMENTED",
        Internal => "INTERNAL",
        Unavailable => "UNAVAILABLE",
        DataLoss => "DATA_LOSS",
        Unauthenticated => "UNAUTHENTICATED",
        /// No status came, as when the caller left before.
        None => "",
    }
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

impl GrpcCode {
    /// Those that have a number, in the order of their numbers.
    const NUMBERED: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// What the headers of a response without messages, or the trailers of any other, say in `grpc-status`. What is no known number is
    /// `UNKNOWN`, as it is for gRPC's clients.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let number = headers.get(GRPC_STATUS)?.as_bytes();
        let known = match number {
            [digit @ b'0'..=b'9'] => Self::NUMBERED.get(usize::from(digit - b'0')),
            [b'1', digit @ b'0'..=b'9'] => Self::NUMBERED.get(usize::from(10 + digit - b'0')),
            _ => None,
        };
        Some(known.copied().unwrap_or(Self::Unknown))
    }

    /// What the client takes from the HTTP status of a response that ended without a `grpc-status`, as gRPC's own table has it. A
    /// server of gRPC does not answer so; what stands before it does, such as a proxy or a timeout.
    pub(crate) fn from_http(status: StatusCode) -> Self {
        match status {
            StatusCode::BAD_REQUEST | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::Internal,
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::PermissionDenied,
            StatusCode::NOT_FOUND => Self::Unimplemented,
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Self::Unavailable,
            // 200, too: a call that went well says so.
            _ => Self::Unknown,
        }
    }

    /// Whether this is a code that only the handler of a method gives, so that the path of the call is one the server implements.
    /// Routers, authentication, limits and the libraries themselves give the others for any path.
    pub(crate) fn tells_of_handler(self) -> bool {
        matches!(
            self,
            Self::Ok
                | Self::InvalidArgument
                | Self::NotFound
                | Self::AlreadyExists
                | Self::FailedPrecondition
                | Self::Aborted
                | Self::OutOfRange
                | Self::DataLoss
        )
    }
}

#[cfg(test)]
mod tests {
    use tower_vitals_core::ClosedLabel;

    use super::*;

    fn of(value: &str) -> Option<GrpcCode> {
        GrpcCode::of(&HeaderMap::from_iter([(GRPC_STATUS, value.parse().unwrap())]))
    }

    #[test]
    fn numbers_are_those_of_grpc() {
        for (number, code) in [
            (0, "OK"),
            (1, "CANCELLED"),
            (2, "UNKNOWN"),
            (3, "INVALID_ARGUMENT"),
            (4, "DEADLINE_EXCEEDED"),
            (5, "NOT_FOUND"),
            (6, "ALREADY_EXISTS"),
            (7, "PERMISSION_DENIED"),
            (8, "RESOURCE_EXHAUSTED"),
            (9, "FAILED_PRECONDITION"),
            (10, "ABORTED"),
            (11, "OUT_OF_RANGE"),
            (12, "UNIMPLEMENTED"),
            (13, "INTERNAL"),
            (14, "UNAVAILABLE"),
            (15, "DATA_LOSS"),
            (16, "UNAUTHENTICATED"),
        ] {
            let read = of(&number.to_string()).unwrap();
            assert_eq!((read.as_str(), read as usize), (code, number));
            assert_eq!(GrpcCode::VALUES[number], code);
        }
        assert_eq!(GrpcCode::None.as_str(), "");
        assert_eq!(GrpcCode::VALUES.len(), GrpcCode::NUMBERED.len() + 1);
    }

    #[test]
    fn what_is_no_known_number_is_unknown() {
        for strange in ["17", "99", "100", "-1", "+1", "1.0", "OK", "", "1 6", "4294967296"] {
            assert_eq!(of(strange), Some(GrpcCode::Unknown), "{strange:?}");
        }
        let bytes = http::HeaderValue::from_bytes(b"\xff").unwrap();
        assert_eq!(
            GrpcCode::of(&HeaderMap::from_iter([(GRPC_STATUS, bytes)])),
            Some(GrpcCode::Unknown)
        );
        assert_eq!(GrpcCode::of(&HeaderMap::new()), None);
    }

    #[test]
    fn a_status_of_http_is_read_as_grpcs_clients_read_it() {
        for (status, code) in [
            (400, "INTERNAL"),
            (401, "UNAUTHENTICATED"),
            (403, "PERMISSION_DENIED"),
            (404, "UNIMPLEMENTED"),
            (429, "UNAVAILABLE"),
            (431, "INTERNAL"),
            (502, "UNAVAILABLE"),
            (503, "UNAVAILABLE"),
            (504, "UNAVAILABLE"),
            (200, "UNKNOWN"),
            (204, "UNKNOWN"),
            (302, "UNKNOWN"),
            (408, "UNKNOWN"),
            (500, "UNKNOWN"),
            (999, "UNKNOWN"),
        ] {
            assert_eq!(
                GrpcCode::from_http(StatusCode::from_u16(status).unwrap()).as_str(),
                code,
                "{status}"
            );
        }
    }

    #[test]
    fn codes_of_what_stands_before_a_handler_tell_nothing_of_it() {
        let telling: Vec<_> = GrpcCode::NUMBERED
            .into_iter()
            .filter(|code| code.tells_of_handler())
            .map(ClosedLabel::as_str)
            .collect();
        let expected = [
            "OK",
            "INVALID_ARGUMENT",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "DATA_LOSS",
        ];
        assert_eq!(telling, expected);
        assert!(!GrpcCode::None.tells_of_handler());
    }
}
