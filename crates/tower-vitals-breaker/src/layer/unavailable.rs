use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::BreakerError;

/// Answers what a breaker rejects with status 503 and, where the time is known, `Retry-After` in whole seconds, rounded up.
///
/// It goes around a [`CircuitBreakerLayer`](super::CircuitBreakerLayer), and the error is that of the inner service again, as servers
/// want it that know no errors.
///
/// # Example
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response, StatusCode};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerLayer, UnavailableLayer};
/// use tower_vitals_core::Vitals;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_vitals_breaker::BuildError> {
/// let breaker = CircuitBreaker::builder("stock").build(&Vitals::new())?;
/// breaker.force_open();
/// let service = ServiceBuilder::new()
///     .layer(UnavailableLayer)
///     .layer(CircuitBreakerLayer::new(breaker))
///     .service(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) }));
/// let Ok(response) = service.oneshot(Request::new(())).await;
/// assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct UnavailableLayer;

/// A service that answers what its breaker rejects, by [`UnavailableLayer`].
#[derive(Clone, Copy, Debug)]
pub struct Unavailable<S> {
    inner: S,
}

pin_project! {
    /// The future of [`Unavailable`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct UnavailableFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<S> Layer<S> for UnavailableLayer {
    type Service = Unavailable<S>;

    fn layer(&self, inner: S) -> Unavailable<S> {
        Unavailable { inner }
    }
}

impl<S, Req, B, E> Service<Req> for Unavailable<S>
where
    S: Service<Req, Response = Response<B>, Error = BreakerError<E>>,
    B: Default,
{
    type Response = Response<B>;
    type Error = E;
    type Future = UnavailableFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx).map(|ready| match ready {
            // Breakers reject when they are called, not here; `call` tells how.
            Ok(()) | Err(BreakerError::Rejected(_)) => Ok(()),
            Err(BreakerError::Inner(error)) => Err(error),
        })
    }

    fn call(&mut self, request: Req) -> Self::Future {
        UnavailableFuture {
            inner: self.inner.call(request),
        }
    }
}

impl<F, B, E> Future for UnavailableFuture<F>
where
    F: Future<Output = Result<Response<B>, BreakerError<E>>>,
    B: Default,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.project().inner.poll(cx)) {
            Ok(response) => Ok(response),
            Err(BreakerError::Rejected(rejected)) => Ok(rejected.into_response()),
            Err(BreakerError::Inner(error)) => Err(error),
        })
    }
}
