//! The usual names: rich labels on the counters, few on the histograms, which have a series for each bucket.

use super::{Column, FamilyNames, Tables};

const BY_CLASS: &[(&str, Column)] = &[
    ("method", Column::Method),
    ("route", Column::Route),
    ("status_class", Column::StatusClass),
];

const TARGETS_BY_CLASS: &[(&str, Column)] = &[
    ("method", Column::Method),
    ("target", Column::Route),
    ("status_class", Column::StatusClass),
];

/// Prometheus' own default buckets, from 5 ms to 10 s.
const BOUNDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

pub(super) static SERVER: Tables = Tables {
    requests: Some(FamilyNames {
        name: "http_requests_total",
        help: "Requests served, by how they ended",
        columns: &[
            ("method", Column::Method),
            ("route", Column::Route),
            ("status", Column::Status),
            ("auth_type", Column::AuthType),
            ("outcome", Column::Outcome),
        ],
    }),
    durations: FamilyNames {
        name: "http_request_duration_seconds",
        help: "Time from the request to the end of its response",
        columns: BY_CLASS,
    },
    in_flight: FamilyNames {
        name: "http_requests_in_flight",
        help: "Requests that are being served",
        columns: &[("method", Column::Method)],
    },
    heads: FamilyNames {
        name: "http_response_head_seconds",
        help: "Time from the request to the head of its response",
        columns: BY_CLASS,
    },
    request_bytes: FamilyNames {
        name: "http_request_body_bytes",
        help: "Bytes of the request's body that the service read",
        columns: BY_CLASS,
    },
    response_bytes: FamilyNames {
        name: "http_response_body_bytes",
        help: "Bytes of the response's body that were taken",
        columns: BY_CLASS,
    },
    bounds: BOUNDS,
};

pub(super) static CLIENT: Tables = Tables {
    requests: Some(FamilyNames {
        name: "http_client_requests_total",
        help: "Requests sent, by how they ended",
        columns: &[
            ("method", Column::Method),
            ("target", Column::Route),
            ("status", Column::Status),
            ("outcome", Column::Outcome),
        ],
    }),
    durations: FamilyNames {
        name: "http_client_request_duration_seconds",
        help: "Time from sending the request to the end of its response",
        columns: TARGETS_BY_CLASS,
    },
    in_flight: FamilyNames {
        name: "http_client_requests_in_flight",
        help: "Requests sent whose responses have not ended",
        columns: &[("method", Column::Method)],
    },
    heads: FamilyNames {
        name: "http_client_response_head_seconds",
        help: "Time from sending the request to the head of its response",
        columns: TARGETS_BY_CLASS,
    },
    request_bytes: FamilyNames {
        name: "http_client_request_body_bytes",
        help: "Bytes of the request's body that were sent",
        columns: TARGETS_BY_CLASS,
    },
    response_bytes: FamilyNames {
        name: "http_client_response_body_bytes",
        help: "Bytes of the response's body that were read",
        columns: TARGETS_BY_CLASS,
    },
    bounds: BOUNDS,
};
