//! A service without a router, as hyper-util runs one: each request goes to a clone of it.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum::{
    body::{Bytes, HttpBody},
    extract::Request,
    http::HeaderMap,
    response::Response,
};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_vitals::{MetricsLayer, RequestHead, Vitals};

use crate::{app, pairs::Work};

/// What is asked for, in turn: one service sees all routes.
const PATHS: [&str; 3] = ["/", "/health", "/users/42"];

/// Makes what serves requests on one thread. Whatever is shared, all share that one of these functions makes.
pub(super) type Make = Box<dyn Fn() -> Work>;

pub(super) fn bare() -> Make {
    Box::new(|| serve_with(service_fn(answer)))
}

pub(super) fn layered() -> Make {
    let layer = layer(&Vitals::new());
    Box::new(move || serve_with(layer.layer(service_fn(answer))))
}

async fn answer(_: Request) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"42"))))
}

fn layer(vitals: &Vitals) -> MetricsLayer {
    MetricsLayer::builder(vitals)
        .route_with(|request| route(request).map(Into::into))
        .build()
        .expect("nothing is set that could be wrong")
}

/// The routes of such a service: few enough to be written out.
fn route(request: RequestHead<'_>) -> Option<&'static str> {
    match request.uri.path() {
        "/" => Some("/"),
        "/health" => Some("/health"),
        path if path.starts_with("/users/") => Some("/users/{id}"),
        _ => None,
    }
}

fn serve_with<S, B>(service: S) -> Work
where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    B: HttpBody<Error = Infallible>,
{
    Box::new(move |count| repeat(&service, count))
}

/// Serves `count` requests. It is the one function that callgrind collects in, so it stays a function and has no closure.
#[inline(never)]
fn repeat<S, B>(service: &S, count: u32)
where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone,
    B: HttpBody<Error = Infallible>,
{
    let headers = app::headers();
    for path in PATHS.into_iter().cycle().take(count as usize) {
        let Poll::Ready(()) = pin!(serve(service, path, &headers)).poll(&mut Context::from_waker(Waker::noop())) else {
            unreachable!("nothing in this service waits");
        };
    }
}

async fn serve<S, B>(service: &S, path: &'static str, headers: &HeaderMap)
where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone,
    B: HttpBody<Error = Infallible>,
{
    let Ok(response) = service.clone().oneshot(app::request(path, headers)).await;
    assert_eq!(response.status(), 200);
    let mut body = pin!(response.into_body());
    black_box(body.size_hint());
    while !body.is_end_stream() {
        match body.frame().await {
            Some(Ok(frame)) => black_box(frame.is_data()),
            None => break,
        };
    }
}

#[cfg(test)]
mod tests {
    use tower_vitals::encode::Protocol;

    use super::*;

    #[test]
    fn requests_outside_a_router_are_recorded_by_their_route() {
        let vitals = Vitals::new();
        repeat(&layer(&vitals).layer(service_fn(answer)), 6);
        let scrape = vitals.encode_to_string(Protocol::Text0);
        for route in ["/", "/health", "/users/{id}"] {
            let labels = format!(r#"method="GET",route="{route}",status="200",auth_type="none",outcome="completed""#);
            assert!(scrape.contains(&format!("http_requests_total{{{labels}}} 2")), "{scrape}");
        }
    }
}
