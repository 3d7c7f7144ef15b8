use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, VARY},
};
use tower_service::Service;
use tower_vitals_core::Vitals;

use crate::{ProtocolKind, ScrapeBody, accept::negotiate};

/// The scrape route: a Tower service that answers `GET` and `HEAD` with the metrics of a [`Vitals`].
///
/// Mount it wherever the scraper is told to look, such as `/metrics`. It does not look at the path. Whatever a scraper sends in
/// `Accept`, it gets metrics: in the protocol it likes best among those that there are, else in Prometheus text 0.0.4.
///
/// A chunk of 64 KiB is made at a time, when the connection asks for it; a scrape that is dropped stops there. Nothing that
/// recording needs is held meanwhile.
///
/// The route answers everybody who reaches it. Metrics tell strangers about an application, so serve it on an address of your own, or
/// behind what guards your other internal routes.
///
/// # Example
/// ```
/// use tower_vitals_core::Vitals;
/// use tower_vitals_exposition::MetricsRoute;
///
/// let vitals = Vitals::new();
/// let app = axum::Router::<()>::new().route_service("/metrics", MetricsRoute::new(&vitals));
/// ```
#[derive(Clone, Debug)]
pub struct MetricsRoute {
    vitals: Vitals,
    protocols: Vec<ProtocolKind>,
}

impl MetricsRoute {
    /// A route that gives the metrics of this Vitals in any protocol.
    #[must_use]
    pub fn new(vitals: &Vitals) -> Self {
        Self {
            vitals: vitals.clone(),
            protocols: ProtocolKind::ALL.to_vec(),
        }
    }

    /// Restricts the route to some protocols, for scrapers that ask for one that they do not handle well. Without any, it gives
    /// Prometheus text.
    #[must_use]
    pub fn protocols(mut self, protocols: impl IntoIterator<Item = ProtocolKind>) -> Self {
        self.protocols = protocols.into_iter().collect();
        self
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<ScrapeBody> {
        match *request.method() {
            Method::GET | Method::HEAD => {
                let protocol = negotiate(request.headers(), &self.protocols);
                let body = match *request.method() {
                    // A head tells the type; nobody reads what would have to be made for the length.
                    Method::HEAD => ScrapeBody::unread(),
                    _ => ScrapeBody::new(self.vitals.encode(protocol)),
                };
                response(StatusCode::OK, protocol.content_type(), body)
            }
            _ => {
                let body = ScrapeBody::text("metrics are read with GET\n");
                let mut response = response(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", body);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        }
    }
}

impl<B> Service<Request<B>> for MetricsRoute {
    type Response = Response<ScrapeBody>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}

fn response(status: StatusCode, content_type: &'static str, body: ScrapeBody) -> Response<ScrapeBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn answer(route: &MetricsRoute, method: Method) -> (http::response::Parts, String) {
        let request = Request::builder().method(method).uri("/metrics").body(()).unwrap();
        let (head, body) = route.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (head, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn get_gives_the_metrics_and_head_only_their_type() {
        let vitals = Vitals::new();
        vitals.counter("jobs", "Jobs run").register().unwrap().inc();
        let route = MetricsRoute::new(&vitals);
        let (head, text) = answer(&route, Method::GET).await;
        assert_eq!(head.status, 200);
        assert_eq!(head.headers[CACHE_CONTROL], "no-store");
        assert!(text.contains("\njobs_total 1\n"));
        let (head, text) = answer(&route, Method::HEAD).await;
        assert_eq!((head.status.as_u16(), text.as_str()), (200, ""));
        assert_eq!(head.headers[CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    }

    #[tokio::test]
    async fn other_methods_are_told_which_to_use() {
        for method in [Method::POST, Method::OPTIONS, Method::from_bytes(b"FOO").unwrap()] {
            let (head, text) = answer(&MetricsRoute::new(&Vitals::new()), method).await;
            assert_eq!(head.status, 405);
            assert_eq!(head.headers[ALLOW], "GET, HEAD");
            assert!(!text.contains('#'));
        }
    }

    #[tokio::test]
    async fn a_large_scrape_comes_in_chunks() {
        let vitals = Vitals::builder().series_budget(5000).label_budget(5000).build().unwrap();
        let family = vitals.counter("jobs", "Jobs run").labels(["queue"]).unwrap();
        for queue in 0..5000 {
            family.with([&format!("a queue with the number {queue}")]).inc();
        }
        let mut body = MetricsRoute::new(&vitals)
            .oneshot(Request::new(()))
            .await
            .unwrap()
            .into_body();
        let (mut chunks, mut text) = (0, String::new());
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            assert!(data.len() < 80 * 1024);
            chunks += 1;
            text.push_str(std::str::from_utf8(&data).unwrap());
        }
        assert!(chunks > 2, "{chunks}");
        assert_eq!(text, vitals.encode_to_string(tower_vitals_core::encode::Protocol::TEXT));
        assert!(http_body::Body::is_end_stream(&body));
    }
}
