use std::{
    fmt,
    future::Ready,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

/// Requests that the breaker rejects are errors.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFallback;

/// Services are not ready as long as the breaker would reject. Requests that it rejects all the same are errors.
#[derive(Clone, Copy, Debug, Default)]
pub struct PendingWhileOpen;

/// Requests that the breaker rejects go to this service.
#[derive(Clone, Copy, Debug)]
pub struct Fallback<B> {
    service: B,
}

/// What becomes of rejected requests. The crate's own kinds are all there are.
pub trait Otherwise<Req, T, E>: sealed::Sealed {
    /// The future of a rejected request.
    type Future: Future<Output = Result<T, E>>;

    /// Whether requests wait until the breaker lets calls through.
    #[doc(hidden)]
    const WAITS: bool = false;

    /// Takes a request, if somebody answers it.
    #[doc(hidden)]
    fn call(&self, request: Req) -> Option<Self::Future>;
}

pin_project! {
    /// The future of a rejected request that a [`Fallback`] answers: it waits for the service to be ready, and calls it.
    #[must_use = "futures do nothing unless polled"]
    pub struct FallbackFuture<B, Req>
    where
        B: Service<Req>,
    {
        waits: Option<(B, Req)>,
        #[pin]
        future: Option<B::Future>,
    }
}

// === impl NoFallback ===

impl<Req, T, E> Otherwise<Req, T, E> for NoFallback {
    type Future = Ready<Result<T, E>>;

    #[inline]
    fn call(&self, _: Req) -> Option<Self::Future> {
        None
    }
}

// === impl PendingWhileOpen ===

impl<Req, T, E> Otherwise<Req, T, E> for PendingWhileOpen {
    type Future = Ready<Result<T, E>>;

    const WAITS: bool = true;

    #[inline]
    fn call(&self, _: Req) -> Option<Self::Future> {
        None
    }
}

// === impl Fallback ===

impl<B> Fallback<B> {
    pub(super) fn new(service: B) -> Self {
        Self { service }
    }
}

impl<Req, T, E, B> Otherwise<Req, T, E> for Fallback<B>
where
    B: Service<Req, Response = T, Error = E> + Clone,
{
    type Future = FallbackFuture<B, Req>;

    fn call(&self, request: Req) -> Option<Self::Future> {
        Some(FallbackFuture {
            waits: Some((self.service.clone(), request)),
            future: None,
        })
    }
}

// === impl FallbackFuture ===

impl<B: Service<Req>, Req> Future for FallbackFuture<B, Req> {
    type Output = Result<B::Response, B::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some((service, _)) = this.waits {
            ready!(service.poll_ready(cx))?;
        }
        if let Some((mut service, request)) = this.waits.take() {
            this.future.set(Some(service.call(request)));
        }
        let future = this.future.as_pin_mut().expect("a request is waiting or was taken");
        future.poll(cx)
    }
}

impl<B: Service<Req>, Req> fmt::Debug for FallbackFuture<B, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackFuture")
            .field("waits", &self.waits.is_some())
            .finish_non_exhaustive()
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::NoFallback {}
    impl Sealed for super::PendingWhileOpen {}
    impl<B> Sealed for super::Fallback<B> {}
}
