//! axum-prometheus, which records through the crate metrics.

use axum_prometheus::PrometheusMetricLayer;

use super::recorder;
use crate::app::{self, Around};

pub(crate) fn around() -> Around {
    recorder::install();
    app::around(PrometheusMetricLayer::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_recorded() {
        app::repeat(&around()(app::routes()).with_state(()), &app::headers(), 3);
        let scrape = recorder::install().render();
        let labels = r#"method="GET",status="200",endpoint="/users/{id}""#;
        assert!(
            scrape.contains(&format!("axum_http_requests_duration_seconds_count{{{labels}}} 3\n")),
            "{scrape}"
        );
    }
}
