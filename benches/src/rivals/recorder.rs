//! The recorder of the crate metrics, which is one for the process.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::by_hand::BOUNDS;

/// Installs the recorder unless it is there. What it needs from time to time (to sort what histograms have queued) is no part of a
/// request, and is not done.
pub(crate) fn install() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("duration_seconds".to_owned()), &BOUNDS)
            .and_then(PrometheusBuilder::install_recorder)
            .expect("nothing else installs a recorder")
    })
}
