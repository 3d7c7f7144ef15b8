//! tower-otel-http-metrics: OpenTelemetry's figures of HTTP servers for any Tower service.

use opentelemetry030::metrics::MeterProvider;
use tower_otel_http_metrics::HTTPMetricsLayerBuilder;

use super::open_telemetry::provider;
use crate::app::{self, Around};

provider!(opentelemetry_sdk030);

pub(crate) fn around() -> Around {
    let layer = HTTPMetricsLayerBuilder::builder()
        .with_meter(PROVIDER.meter("benches"))
        .build()
        .expect("a meter is all that it needs");
    app::around(layer)
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
