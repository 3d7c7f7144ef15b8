//! Names that the crates of this house register themselves.
//!
//! They are kept free, so that adding one of our layers never fails.

/// The names of our families as [`Descriptor::name`](crate::Descriptor::name) gives them, without a namespace.
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
    let clashes = |local: &str| {
        let stripped = SUFFIXES.iter().find_map(|suffix| local.strip_suffix(suffix));
        NAMES.contains(&local) || stripped.is_some_and(|name| NAMES.contains(&name))
    };
    local.is_some_and(clashes)
}

/// What the names of samples may add to that of their family.
const SUFFIXES: &[&str] = &["_bucket", "_count", "_created", "_sum", "_total"];

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
        // Nor can a family reach ours by adding a suffix of its own.
        assert!(NAMES.iter().all(|name| !SUFFIXES.iter().any(|suffix| name.ends_with(suffix))));
    }
}
