//! The reference: a layer whose service only forwards. What it adds is axum's own cost of any layer.

use std::task::{Context, Poll};

use tower::{Layer, Service};

#[derive(Clone, Debug)]
pub(crate) struct NoOpLayer;

#[derive(Clone, Debug)]
pub(crate) struct NoOp<S> {
    inner: S,
}

impl<S> Layer<S> for NoOpLayer {
    type Service = NoOp<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NoOp { inner }
    }
}

impl<S, R> Service<R> for NoOp<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.inner.call(request)
    }
}
