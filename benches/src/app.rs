//! The application that every entry serves, and one request to it.

use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{Path, Request},
    routing::get,
};
use http_body_util::BodyExt;
use tower::ServiceExt;

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

/// Serves `count` requests. It is the one function that callgrind collects in, so it stays a function and has no closure, whose
/// name would begin with its own.
#[inline(never)]
pub(crate) fn repeat(router: &Router, count: u32) {
    for _ in 0..count {
        let Poll::Ready(()) = pin!(serve(router)).poll(&mut Context::from_waker(Waker::noop())) else {
            unreachable!("nothing in this application waits");
        };
    }
}

/// Serves `GET /users/42` as `axum::serve` does: each request goes to a clone of the router.
async fn serve(router: &Router) {
    let request = Request::get("/users/42").body(Body::empty()).expect("the request is valid");
    let Ok(response) = router.clone().oneshot(request).await;
    assert_eq!(response.status(), 200);
    finish(response.into_body()).await;
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
