//! A middleware by hand that records through the crate prometheus-client, whose figures are the state of the middleware.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::by_hand::{self, BOUNDS};
use crate::{
    app::{self, Around},
    instant,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: String,
    path: String,
    status: String,
}

#[derive(Debug)]
struct Figures {
    requests: Family<Labels, Counter>,
    duration: Family<Labels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
}

pub(crate) fn around() -> Around {
    with(&Arc::new(Figures::register(&mut Registry::default())))
}

fn with(figures: &Arc<Figures>) -> Around {
    app::around(from_fn_with_state(Arc::clone(figures), track))
}

async fn track(State(figures): State<Arc<Figures>>, request: Request, next: Next) -> Response {
    let started = instant::now();
    let path = by_hand::path(&request);
    let method = request.method().to_string();
    figures.in_flight.inc();
    let response = next.run(request).await;
    figures.in_flight.dec();
    let duration = instant::now().saturating_duration_since(started);
    let labels = Labels {
        method,
        path,
        status: response.status().as_u16().to_string(),
    };
    figures.requests.get_or_create(&labels).inc();
    figures.duration.get_or_create(&labels).observe(duration.as_secs_f64());
    response
}

impl Figures {
    fn register(registry: &mut Registry) -> Self {
        let figures = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BOUNDS)),
            in_flight: Gauge::default(),
        };
        registry.register("http_requests", "Requests", figures.requests.clone());
        registry.register(
            "http_requests_duration_seconds",
            "Durations of requests",
            figures.duration.clone(),
        );
        registry.register("http_requests_in_flight", "Requests in flight", figures.in_flight.clone());
        figures
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;

    use super::*;

    #[test]
    fn requests_are_recorded() {
        let mut registry = Registry::default();
        let figures = Arc::new(Figures::register(&mut registry));
        app::repeat(&with(&figures)(app::routes()).with_state(()), &app::headers(), 3);
        let mut scrape = String::new();
        text::encode(&mut scrape, &registry).unwrap();
        let labels = r#"method="GET",path="/users/{id}",status="200""#;
        for sample in ["http_requests_total", "http_requests_duration_seconds_count"] {
            assert!(scrape.contains(&format!("{sample}{{{labels}}} 3\n")), "{scrape}");
        }
        assert!(scrape.contains("http_requests_in_flight 0\n"), "{scrape}");
    }
}
