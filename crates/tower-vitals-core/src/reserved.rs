//! Names that the crates of this house register themselves.
//!
//! They are kept free, so that adding one of our layers never fails.

/// The names of our families as [`Descriptor::name`](crate::Descriptor::name) gives them, without a namespace.
const NAMES: &[&str] = &[
    "circuit_breaker_call_duration_seconds",
    "circuit_breaker_calls",
    "circuit_breaker_evictions",
    "circuit_breaker_failure_ratio",
    "circuit_breaker_half_open_in_flight",
    "circuit_breaker_mode",
    "circuit_breaker_open_until_timestamp_seconds",
    "circuit_breaker_rejected",
    "circuit_breaker_slow_ratio",
    "circuit_breaker_state",
    "circuit_breaker_state_since_timestamp_seconds",
    "circuit_breaker_transitions",
    "circuit_breaker_would_reject",
    "grpc_requests",
    "http_api_key_requests",
    "http_client_active_requests",
    "http_client_request_body_bytes",
    "http_client_request_body_size_bytes",
    "http_client_request_duration_seconds",
    "http_client_requests",
    "http_client_requests_in_flight",
    "http_client_response_body_bytes",
    "http_client_response_body_size_bytes",
    "http_client_response_head_seconds",
    "http_principal_conflicts",
    "http_request_body_bytes",
    "http_request_duration_seconds",
    "http_requests",
    "http_requests_in_flight",
    "http_response_body_bytes",
    "http_response_head_seconds",
    "http_server_active_requests",
    "http_server_request_body_size_bytes",
    "http_server_request_duration_seconds",
    "http_server_response_body_size_bytes",
    "http_slo_requests",
    "http_stream_duration_seconds",
    "http_streams_in_flight",
    "http_user_requests",
    "vitals_attachment_errors",
    "vitals_label_overflow",
    "vitals_series",
    "websocket_buffered_bytes",
    "websocket_buffered_messages",
    "websocket_bytes_attempted",
    "websocket_bytes_dropped",
    "websocket_bytes_flushed",
    "websocket_bytes_received",
    "websocket_connection_duration_seconds",
    "websocket_connection_quality",
    "websocket_connections",
    "websocket_connections_closed",
    "websocket_flush_seconds",
    "websocket_handshakes",
    "websocket_heartbeat_timeouts",
    "websocket_message_size_bytes",
    "websocket_messages_attempted",
    "websocket_messages_dropped",
    "websocket_messages_flushed",
    "websocket_messages_received",
    "websocket_oldest_queued_seconds",
    "websocket_ping_rtt_seconds",
    "websocket_queue_bytes",
    "websocket_queue_depth",
    "websocket_queue_wait_seconds",
];

/// Whether the full name of a family is one of ours in this namespace.
pub(crate) fn is_reserved(namespace: &str, name: &str) -> bool {
    let local = match namespace {
        "" => Some(name),
        namespace => name.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('_')),
    };
    let clashes = |local: &str| {
        let stripped = SUFFIXES.iter().find_map(|suffix| local.strip_suffix(suffix));
        NAMES.contains(&local) || stripped.is_some_and(|name| NAMES.contains(&name))
    };
    local.is_some_and(clashes)
}

/// What the names of samples may add to that of their family.
const SUFFIXES: &[&str] = &["_bucket", "_count", "_created", "_sum", "_total"];

/// Labels of our own families, which a constant label would push aside. `service` of `grpc_requests_total` and `mode` of
/// `circuit_breaker_mode` are not among them: applications have constant labels of these names.
const LABELS: &[&str] = &[
    "api_key",
    "auth_type",
    "breaker",
    "cause",
    "code",
    "direction",
    "endpoint",
    "error_type",
    "family",
    "from",
    "http_request_method",
    "http_response_status_code",
    "http_route",
    "http_version",
    "initiator",
    "kind",
    "label",
    "method",
    "network_protocol_name",
    "network_protocol_version",
    "outcome",
    "part",
    "quality",
    "reason",
    "route",
    "server_address",
    "server_port",
    "set",
    "status",
    "status_class",
    "target",
    "to",
    "url_scheme",
    "user",
    "verdict",
];

pub(crate) fn is_label(name: &str) -> bool {
    LABELS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_whose_samples_would_take_our_names_is_reserved_too() {
        assert!(is_reserved("", "http_requests"));
        assert!(is_reserved("", "http_request_duration_seconds_sum"));
        assert!(is_reserved("shop", "shop_http_requests"));
        assert!(!is_reserved("shop", "http_requests"));
        assert!(!is_reserved("", "http_requests_per_user"));
        assert!(is_reserved("shop", "shop_circuit_breaker_calls_total"));
        assert!(!is_reserved("", "circuit_breaker"));
        // Nor can a family reach ours by adding a suffix of its own.
        assert!(NAMES.iter().all(|name| !SUFFIXES.iter().any(|suffix| name.ends_with(suffix))));
    }

    #[test]
    fn constant_labels_that_applications_have_are_left_to_them() {
        for taken in ["breaker", "from", "outcome", "reason", "set", "to"] {
            assert!(is_label(taken), "{taken}");
        }
        assert!(!is_label("service") && !is_label("mode"));
    }
}
