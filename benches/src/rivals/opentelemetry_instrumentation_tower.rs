//! opentelemetry-instrumentation-tower: OpenTelemetry's own. Only its metrics are measured, its spans are off.

use opentelemetry_instrumentation_tower::http::server::LayerBuilder;
use opentelemetry033::global;

use super::open_telemetry::provider;
use crate::app::{self, Around};

provider!(opentelemetry_sdk033);

pub(crate) fn around() -> Around {
    // It takes a meter from nowhere else.
    global::set_meter_provider(PROVIDER.clone());
    let layer = LayerBuilder::builder()
        .with_tracing(false)
        .build()
        .expect("nothing is set that could be wrong");
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
