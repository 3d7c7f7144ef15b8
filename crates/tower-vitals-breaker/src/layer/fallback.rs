use std::{
    future::Ready,
    task::{Context, Poll},
};

use tower_service::Service;

/// Requests that the breaker rejects are errors.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFallback;

/// Requests that the breaker rejects go to this service.
#[derive(Debug)]
pub struct Fallback<B> {
    service: B,
    /// Whether the service was asked for readiness and granted it, so that it may be called once.
    is_ready: bool,
}

impl<B> Fallback<B> {
    pub(crate) fn new(service: B) -> Self {
        Self {
            service,
            is_ready: false,
        }
    }
}

/// What becomes of rejected requests. The crate's own kinds are all there are.
pub trait Otherwise<Req, T, E>: sealed::Sealed {
    /// The future of a rejected request.
    type Future: Future<Output = Result<T, E>>;

    /// Whether it can take a request.
    #[doc(hidden)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>>;

    /// Takes a request, unless it is not ready for one.
    #[doc(hidden)]
    fn call(&mut self, request: Req) -> Option<Self::Future>;
}

impl<Req, T, E> Otherwise<Req, T, E> for NoFallback {
    type Future = Ready<Result<T, E>>;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, _: Req) -> Option<Self::Future> {
        None
    }
}

impl<Req, T, E, B: Service<Req, Response = T, Error = E>> Otherwise<Req, T, E> for Fallback<B> {
    type Future = B::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let polled = self.service.poll_ready(cx);
        self.is_ready = matches!(polled, Poll::Ready(Ok(())));
        polled
    }

    fn call(&mut self, request: Req) -> Option<B::Future> {
        let is_ready = std::mem::take(&mut self.is_ready);
        is_ready.then(|| self.service.call(request))
    }
}

impl<B: Clone> Clone for Fallback<B> {
    fn clone(&self) -> Self {
        // Readiness was granted to the original.
        Self::new(self.service.clone())
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::NoFallback {}
    impl<B> Sealed for super::Fallback<B> {}
}
