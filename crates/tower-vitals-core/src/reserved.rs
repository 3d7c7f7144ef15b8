//! Names that the crates of this house register themselves.
//!
//! They are kept free, so that adding one of our layers never fails.

/// Names of families without namespace, `_total` and unit suffixes left as they are in the family's name.
const NAMES: &[&str] = &[
    "http_requests",
    "http_request_duration_seconds",
    "http_requests_in_flight",
    "vitals_attachment_errors",
    "vitals_label_overflow",
    "vitals_series",
];

/// Whether the full name of a family is one of ours in this namespace.
pub(crate) fn is_reserved(namespace: &str, name: &str) -> bool {
    let local = match namespace {
        "" => Some(name),
        namespace => name.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('_')),
    };
    local.is_some_and(|local| NAMES.contains(&local))
}

/// Labels of our own families. A constant label must not have one of these names, or our layers could not register.
const LABELS: &[&str] = &[
    "auth_type",
    "cause",
    "family",
    "label",
    "method",
    "outcome",
    "route",
    "status",
    "status_class",
];

pub(crate) fn is_label(name: &str) -> bool {
    LABELS.contains(&name)
}
