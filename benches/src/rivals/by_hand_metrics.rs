//! A middleware by hand that records through the crate metrics, as axum's example does.

use axum::{
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};

use super::{by_hand, recorder};
use crate::{
    app::{self, Around},
    instant,
};

pub(crate) fn around() -> Around {
    recorder::install();
    app::around(from_fn(track))
}

async fn track(request: Request, next: Next) -> Response {
    let started = instant::now();
    let path = by_hand::path(&request);
    let method = request.method().to_string();
    let in_flight = metrics::gauge!("http_requests_in_flight");
    in_flight.increment(1);
    let response = next.run(request).await;
    in_flight.decrement(1);
    let duration = instant::now().saturating_duration_since(started);
    let status = response.status().as_u16().to_string();
    let labels = [("method", method), ("path", path), ("status", status)];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_requests_duration_seconds", &labels).record(duration.as_secs_f64());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_recorded() {
        app::repeat(&around()(app::routes()).with_state(()), &app::headers(), 3);
        let scrape = recorder::install().render();
        let labels = r#"method="GET",path="/users/{id}",status="200""#;
        for sample in ["http_requests_total", "http_requests_duration_seconds_count"] {
            assert!(scrape.contains(&format!("\n{sample}{{{labels}}} 3\n")), "{scrape}");
        }
        assert!(scrape.contains("http_requests_in_flight 0\n"), "{scrape}");
    }
}
