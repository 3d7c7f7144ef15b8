//! prometheus-axum-middleware, which records through the crate prometheus and its default registry.

use prometheus_axum_middleware::PrometheusAxumLayer;

use crate::app::{self, Around};

pub(crate) fn around() -> Around {
    app::around(PrometheusAxumLayer::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_recorded() {
        app::repeat(&around()(app::routes()).with_state(()), &app::headers(), 3);
        let scrape = prometheus::TextEncoder::new()
            .encode_to_string(&prometheus::gather())
            .unwrap();
        let labels = r#"endpoint="/users/{id}",method="GET",status="200""#;
        assert!(
            scrape.contains(&format!("axum_http_requests_duration_seconds_count{{{labels}}} 3\n")),
            "{scrape}"
        );
    }
}
