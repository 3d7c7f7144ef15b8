//! What others have made for the same work, one a file: how it is put around the routes, and a test that it records there.

pub(crate) mod axum_otel_metrics;
pub(crate) mod axum_prometheus;
pub(crate) mod by_hand_metrics;
pub(crate) mod by_hand_prometheus;
pub(crate) mod by_hand_prometheus_client;
pub(crate) mod opentelemetry_instrumentation_tower;
pub(crate) mod prometheus_axum_middleware;
pub(crate) mod recorder;
pub(crate) mod tower_otel_http_metrics;

mod by_hand;
mod open_telemetry;
