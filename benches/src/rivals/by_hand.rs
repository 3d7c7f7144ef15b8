//! What people write themselves, after axum's own example: a function for `axum::middleware::from_fn` that counts, times and labels by
//! route, method and status, each of them text of its own.

use axum::extract::{MatchedPath, Request};

/// The upper bounds of the buckets, in seconds: those of our layer.
pub(super) const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// The route of a request, or its path where none matched.
pub(super) fn path(request: &Request) -> String {
    match request.extensions().get::<MatchedPath>() {
        Some(route) => route.as_str().to_owned(),
        None => request.uri().path().to_owned(),
    }
}
