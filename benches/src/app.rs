//! The application that every entry serves, and one request to it.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{Path, Request},
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT, AUTHORIZATION, HOST, USER_AGENT},
    },
    response::IntoResponse,
    routing::{Route, get},
};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};

/// What an application of some size routes beside `/users/{id}`.
const OTHER_ROUTES: [&str; 19] = [
    "/",
    "/health",
    "/login",
    "/logout",
    "/users",
    "/users/{id}/avatar",
    "/users/{id}/orders",
    "/users/{id}/orders/{order}",
    "/orders",
    "/orders/{id}",
    "/orders/{id}/items",
    "/orders/{id}/items/{item}",
    "/products",
    "/products/{id}",
    "/products/{id}/reviews",
    "/search",
    "/settings",
    "/settings/{key}",
    "/static/{*path}",
];

/// The routes, without a layer.
pub(crate) fn routes() -> Router {
    let router = Router::new().route("/users/{id}", get(async |Path(id): Path<u64>| id.to_string()));
    OTHER_ROUTES
        .iter()
        .fold(router, |router, path| router.route(path, get(async || "ok")))
}

/// Puts something around the routes. Whatever is shared, all the routers share that one of these functions makes.
pub(crate) type Around = Box<dyn Fn(Router) -> Router>;

/// Puts a layer around the routes.
pub(crate) fn around<L>(layer: L) -> Around
where
    L: Layer<Route> + Clone + Send + Sync + 'static,
    L::Service: Service<Request> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request>>::Response: IntoResponse + 'static,
    <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
    <L::Service as Service<Request>>::Future: Send + 'static,
{
    Box::new(move |routes| routes.layer(layer.clone()))
}

/// Serves `count` requests. It is the one function that callgrind collects in, so it stays a function and has no closure, whose
/// name would begin with its own.
#[inline(never)]
pub(crate) fn repeat(router: &Router, headers: &HeaderMap, count: u32) {
    for _ in 0..count {
        let Poll::Ready(()) = pin!(serve(router, headers)).poll(&mut Context::from_waker(Waker::noop())) else {
            unreachable!("nothing in this application waits");
        };
    }
}

/// Serves `GET /users/42` as `axum::serve` does: each request goes to a clone of the router.
async fn serve(router: &Router, headers: &HeaderMap) {
    let Ok(response) = router.clone().oneshot(request("/users/42", headers)).await;
    assert_eq!(response.status(), 200);
    finish(response.into_body()).await;
}

/// `GET` of a path.
pub(crate) fn request(path: &'static str, headers: &HeaderMap) -> Request {
    let mut request = Request::get(path).body(Body::empty()).expect("the path is valid");
    *request.headers_mut() = headers.clone();
    request
}

/// What curl sends with a request.
pub(crate) fn headers() -> HeaderMap {
    HeaderMap::from_iter([
        (HOST, HeaderValue::from_static("127.0.0.1:8080")),
        (USER_AGENT, HeaderValue::from_static("curl/8.14.1")),
        (ACCEPT, HeaderValue::from_static("*/*")),
    ])
}

/// The same with a JSON web token of usual length.
pub(crate) fn headers_with_token() -> HeaderMap {
    let [header, payload, signature] = [36, 400, 342].map(|length| "x".repeat(length));
    let token = format!("Bearer {header}.{payload}.{signature}");
    let mut headers = headers();
    headers.insert(AUTHORIZATION, token.try_into().expect("the token is of letters and dots"));
    headers
}

/// Reads a body as hyper does, which asks for no further frame where the body says that it has ended.
async fn finish(mut body: Body) {
    black_box(body.size_hint());
    while !body.is_end_stream() {
        match body.frame().await {
            Some(frame) => black_box(frame.expect("the body gives no error")),
            None => break,
        };
    }
}
