//! A middleware by hand that records through the crate prometheus, whose figures are statics.

use std::sync::LazyLock;

use axum::{
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};
use prometheus::{
    HistogramVec, IntCounterVec, IntGauge, histogram_opts, register_histogram_vec, register_int_counter_vec, register_int_gauge,
};

use super::by_hand::{self, BOUNDS};
use crate::{
    app::{self, Around},
    instant,
};

const LABELS: [&str; 3] = ["method", "path", "status"];

static REQUESTS: LazyLock<IntCounterVec> =
    LazyLock::new(|| register_int_counter_vec!("http_requests_total", "Requests.", &LABELS).expect("the name is used once"));

static DURATION: LazyLock<HistogramVec> = LazyLock::new(|| {
    let options = histogram_opts!("http_requests_duration_seconds", "Durations of requests.", BOUNDS.to_vec());
    register_histogram_vec!(options, &LABELS).expect("the name is used once")
});

static IN_FLIGHT: LazyLock<IntGauge> =
    LazyLock::new(|| register_int_gauge!("http_requests_in_flight", "Requests in flight.").expect("the name is used once"));

pub(crate) fn around() -> Around {
    app::around(from_fn(track))
}

async fn track(request: Request, next: Next) -> Response {
    let started = instant::now();
    let path = by_hand::path(&request);
    let method = request.method().to_string();
    IN_FLIGHT.inc();
    let response = next.run(request).await;
    IN_FLIGHT.dec();
    let duration = instant::now().saturating_duration_since(started);
    let status = response.status().as_u16().to_string();
    let labels = [method.as_str(), &path, &status];
    REQUESTS.with_label_values(&labels).inc();
    DURATION.with_label_values(&labels).observe(duration.as_secs_f64());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_recorded() {
        app::repeat(&around()(app::routes()).with_state(()), &app::headers(), 3);
        let labels = ["GET", "/users/{id}", "200"];
        assert_eq!(REQUESTS.with_label_values(&labels).get(), 3);
        assert_eq!(DURATION.with_label_values(&labels).get_sample_count(), 3);
        assert_eq!(IN_FLIGHT.get(), 0);
    }
}
