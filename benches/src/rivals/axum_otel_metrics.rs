//! axum-otel-metrics: OpenTelemetry's figures of HTTP servers, with sizes of bodies.

use axum_otel_metrics::HttpMetricsLayerBuilder;

use super::open_telemetry::provider;
use crate::app::{self, Around};

provider!(opentelemetry_sdk032);

pub(crate) fn around() -> Around {
    app::around(HttpMetricsLayerBuilder::new().with_provider(PROVIDER.clone()).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_recorded() {
        app::repeat(&around()(app::routes()).with_state(()), &app::headers(), 3);
        assert_eq!(recorded(), 3);
    }
}
