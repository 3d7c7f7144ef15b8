//! OpenTelemetry's semantic conventions for HTTP metrics, translated to Prometheus' names: units at the end, dots as underscores.
//!
//! A label that is not there for a request (a route that nothing matched, a status that was not sent, no error) is empty, which is the same
//! to Prometheus. `network_protocol_name` is for protocols other than HTTP, so it is never there.

use super::{Column, FamilyNames, Tables};

const OF_SERVER: &[(&str, Column)] = &[
    ("http_request_method", Column::Method),
    ("url_scheme", Column::Scheme),
    ("http_route", Column::Route),
    ("http_response_status_code", Column::Status),
    ("error_type", Column::ErrorType),
    ("network_protocol_version", Column::Version),
];

const OF_CLIENT: &[(&str, Column)] = &[
    ("http_request_method", Column::Method),
    ("server_address", Column::Address),
    ("server_port", Column::Port),
    ("http_response_status_code", Column::Status),
    ("error_type", Column::ErrorType),
    ("network_protocol_version", Column::Version),
];

/// The advice of the conventions.
const BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

pub(super) static SERVER: Tables = Tables {
    requests: None,
    durations: FamilyNames {
        name: "http_server_request_duration_seconds",
        help: "Duration of HTTP server requests.",
        columns: OF_SERVER,
    },
    in_flight: FamilyNames {
        name: "http_server_active_requests",
        help: "Number of active HTTP server requests.",
        columns: &[("http_request_method", Column::Method), ("url_scheme", Column::Scheme)],
    },
    // The conventions have no such metric; it goes by its usual name.
    heads: FamilyNames {
        name: "http_response_head_seconds",
        help: "Time from the request to the head of its response",
        columns: OF_SERVER,
    },
    request_bytes: FamilyNames {
        name: "http_server_request_body_size_bytes",
        help: "Size of HTTP server request bodies.",
        columns: OF_SERVER,
    },
    response_bytes: FamilyNames {
        name: "http_server_response_body_size_bytes",
        help: "Size of HTTP server response bodies.",
        columns: OF_SERVER,
    },
    bounds: BOUNDS,
};

pub(super) static CLIENT: Tables = Tables {
    requests: None,
    durations: FamilyNames {
        name: "http_client_request_duration_seconds",
        help: "Duration of HTTP client requests.",
        columns: OF_CLIENT,
    },
    in_flight: FamilyNames {
        name: "http_client_active_requests",
        help: "Number of active HTTP requests.",
        columns: &[
            ("http_request_method", Column::Method),
            ("server_address", Column::Address),
            ("server_port", Column::Port),
        ],
    },
    heads: FamilyNames {
        name: "http_client_response_head_seconds",
        help: "Time from sending the request to the head of its response",
        columns: OF_CLIENT,
    },
    request_bytes: FamilyNames {
        name: "http_client_request_body_size_bytes",
        help: "Size of HTTP client request bodies.",
        columns: OF_CLIENT,
    },
    response_bytes: FamilyNames {
        name: "http_client_response_body_size_bytes",
        help: "Size of HTTP client response bodies.",
        columns: OF_CLIENT,
    },
    bounds: BOUNDS,
};
