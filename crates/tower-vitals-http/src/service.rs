use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;
use tower_vitals_core::spread::Spread;

use crate::{MetricsBody, Outcome, ResponseFuture, counted::Counted, endpoint::Endpoint};

/// The service that [`MetricsLayer`](crate::MetricsLayer) makes.
///
/// Counting starts when it is called, before the inner service is, and ends with the response's body.
///
/// # Clone
/// A clone counts into the same series.
#[derive(Clone, Debug)]
pub struct Metrics<S> {
    inner: S,
    endpoint: Spread<Endpoint>,
}

impl<S> Metrics<S> {
    pub(crate) fn new(inner: S, endpoint: Spread<Endpoint>) -> Self {
        Self { inner, endpoint }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for Metrics<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<MetricsBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    // Inlined into what a router puts around it, it would move the future once more.
    #[inline(never)]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.endpoint.counts_already(&request) {
            return ResponseFuture::new(self.inner.call(request), None);
        }
        let mut counted = Counted::begin(&self.endpoint, &request);
        counted.look_closer(&mut request);
        let inner = {
            let _scope = counted.enter();
            self.inner.call(request)
        };
        counted.on_drop = Some(Outcome::Aborted);
        ResponseFuture::new(inner, Some(counted))
    }
}
