use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{BreakerError, Rejected, find_rejection};

/// Answers what a breaker rejects with status 503 and, where the time is known, `Retry-After` in whole seconds, rounded up.
///
/// It goes around a [`CircuitBreakerLayer`](super::CircuitBreakerLayer), and the error is that of the inner service again, as servers
/// want it that know no errors. Where other layers lie between that box errors, it answers what
/// [`find_rejection`](crate::find_rejection) finds in them; all others stay as they are.
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

/// An error that may be a rejection: a [`BreakerError`], or a box such as Tower's. These are all there are.
pub trait MaybeRejected: sealed::Sealed {
    /// What else it may be.
    type Other;

    /// What it is.
    #[doc(hidden)]
    fn split(self) -> Result<Rejected, Self::Other>;

    /// What it means where a service should get ready.
    #[doc(hidden)]
    fn of_readiness(self) -> Result<(), Self::Other>;
}

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

impl<S, Req, B> Service<Req> for Unavailable<S>
where
    S: Service<Req, Response = Response<B>>,
    S::Error: MaybeRejected,
    B: Default,
{
    type Response = Response<B>;
    type Error = <S::Error as MaybeRejected>::Other;
    type Future = UnavailableFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map(|ready| ready.or_else(S::Error::of_readiness))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        UnavailableFuture {
            inner: self.inner.call(request),
        }
    }
}

impl<F, B, E> Future for UnavailableFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default,
    E: MaybeRejected,
{
    type Output = Result<Response<B>, E::Other>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.project().inner.poll(cx));
        Poll::Ready(result.or_else(|error| error.split().map(Rejected::into_response)))
    }
}

impl<E> MaybeRejected for BreakerError<E> {
    type Other = E;

    fn split(self) -> Result<Rejected, E> {
        match self {
            Self::Rejected(rejected) => Ok(rejected),
            Self::Inner(error) => Err(error),
        }
    }

    fn of_readiness(self) -> Result<(), E> {
        // Breakers reject when they are called, not here; `call` tells how.
        self.split().map(drop)
    }
}

impl MaybeRejected for BoxError {
    type Other = Self;

    fn split(self) -> Result<Rejected, Self> {
        find_rejection(&*self).cloned().ok_or(self)
    }

    fn of_readiness(self) -> Result<(), Self> {
        // Whatever lies below, a service that failed here is not to be called.
        Err(self)
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

mod sealed {
    pub trait Sealed {}

    impl<E> Sealed for crate::BreakerError<E> {}
    impl Sealed for super::BoxError {}
}
