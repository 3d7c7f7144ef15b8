use tower_layer::Layer;

use super::{CircuitBreakerService, Fallback, NoFallback, pick::Picks};
use crate::{AtBodyEnd, AtHead, ByResult, CircuitBreaker};

/// Puts a breaker around services. See [`CircuitBreakerService`].
///
/// All services that a layer and its clones make share the breaker.
///
/// # Example
/// ```
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_vitals_breaker::{BreakerError, CircuitBreaker, CircuitBreakerLayer};
/// use tower_vitals_core::Vitals;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_vitals_breaker::BuildError> {
/// let breaker = CircuitBreaker::builder("stock").consecutive_failures(1).build(&Vitals::new())?;
/// let service = ServiceBuilder::new()
///     .layer(CircuitBreakerLayer::new(breaker))
///     .service(service_fn(|_: u32| async { Err::<(), _>("no route") }));
/// assert!(matches!(service.clone().oneshot(1).await, Err(BreakerError::Inner("no route"))));
/// assert!(matches!(service.oneshot(2).await, Err(BreakerError::Rejected(_))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CircuitBreakerLayer<K = AtHead<ByResult>, P = CircuitBreaker, F = NoFallback> {
    picks: P,
    settle: K,
    fallback: F,
    waits: bool,
}

impl CircuitBreakerLayer {
    /// Puts this breaker around services whose calls fail by their errors.
    #[must_use]
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self {
            picks: breaker,
            settle: AtHead { classifier: ByResult },
            fallback: NoFallback,
            waits: false,
        }
    }
}

impl<K, P, F> CircuitBreakerLayer<K, P, F> {
    /// Has a classifier say how calls ended, as soon as there is a response or an error.
    ///
    /// # Example
    /// ```
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerLayer, State, Verdict};
    /// use tower_vitals_core::Vitals;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_vitals_breaker::BuildError> {
    /// let breaker = CircuitBreaker::builder("stock").consecutive_failures(1).build(&Vitals::new())?;
    /// let by_status = |result: Result<&u16, &&str>| match result {
    ///     Ok(status) if *status < 500 => Verdict::SUCCESS,
    ///     _ => Verdict::FAILURE,
    /// };
    /// let service = CircuitBreakerLayer::new(breaker.clone())
    ///     .classify(by_status)
    ///     .layer(service_fn(|status: u16| async move { Ok::<_, &str>(status) }));
    /// assert_eq!(service.oneshot(503).await.ok(), Some(503));
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok(())
    /// # }
    /// ```
    pub fn classify<C>(self, classifier: C) -> CircuitBreakerLayer<AtHead<C>, P, F> {
        CircuitBreakerLayer {
            picks: self.picks,
            settle: AtHead { classifier },
            fallback: self.fallback,
            waits: self.waits,
        }
    }

    /// Has a classifier say how calls ended when the bodies of their responses did: [`HttpClassifier`](crate::HttpClassifier) or
    /// [`GrpcClassifier`](crate::GrpcClassifier). Responses have a [`BreakerBody`](crate::BreakerBody) then.
    pub fn classify_bodies<C>(self, classifier: C) -> CircuitBreakerLayer<AtBodyEnd<C>, P, F> {
        CircuitBreakerLayer {
            picks: self.picks,
            settle: AtBodyEnd::new(classifier),
            fallback: self.fallback,
            waits: self.waits,
        }
    }

    /// Sends what the breaker rejects to a service of the same response and error types. What it answers is not counted.
    ///
    /// As long as the breaker would reject, `poll_ready` asks this service instead of the inner one. A request that is rejected although
    /// the inner service was asked, since the breaker opened in between, is an error all the same: this service is not ready for it.
    ///
    /// # Example
    /// ```
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerLayer};
    /// use tower_vitals_core::Vitals;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_vitals_breaker::BuildError> {
    /// let breaker = CircuitBreaker::builder("stock").build(&Vitals::new())?;
    /// let service = CircuitBreakerLayer::new(breaker.clone())
    ///     .fallback(service_fn(|_: ()| async { Ok::<_, &str>("from the cache") }))
    ///     .layer(service_fn(|_: ()| async { Ok::<_, &str>("from the stock") }));
    /// breaker.force_open();
    /// assert_eq!(service.oneshot(()).await.ok(), Some("from the cache"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn fallback<B>(self, service: B) -> CircuitBreakerLayer<K, P, Fallback<B>> {
        CircuitBreakerLayer {
            picks: self.picks,
            settle: self.settle,
            fallback: Fallback::new(service),
            waits: self.waits,
        }
    }

    /// Makes services not ready as long as the breaker would reject, so that a balancer sends requests elsewhere.
    ///
    /// A service waits with tokio's timer for the open time to be over, and is woken by every change of the breaker before. Nothing is
    /// reserved for it: of many that are woken for one probe's place, all but one reject or wait again. Where nobody else takes the
    /// requests, they wait for the open time instead of being rejected. It has no use for a breaker that is chosen by request.
    ///
    /// # Panics
    /// Such a service panics when it has to wait outside of a tokio runtime with a timer.
    ///
    /// # Example
    /// ```
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerLayer};
    /// use tower_vitals_core::Vitals;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_vitals_breaker::BuildError> {
    /// let breaker = CircuitBreaker::builder("stock").build(&Vitals::new())?;
    /// let service = CircuitBreakerLayer::new(breaker.clone())
    ///     .pending_while_open()
    ///     .layer(service_fn(|_: ()| async { Ok::<_, &str>("from the stock") }));
    /// breaker.force_open();
    /// let release = async { breaker.release() };
    /// let (answer, ()) = tokio::join!(service.oneshot(()), release);
    /// assert_eq!(answer.ok(), Some("from the stock"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pending_while_open(mut self) -> Self {
        self.waits = true;
        self
    }
}

impl<S, K: Clone, P: Picks, F: Clone> Layer<S> for CircuitBreakerLayer<K, P, F> {
    type Service = CircuitBreakerService<S, K, P::Pick, F>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreakerService::new(
            inner,
            self.picks.pick(),
            self.settle.clone(),
            self.fallback.clone(),
            self.waits,
        )
    }
}
