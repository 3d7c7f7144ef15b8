use tower_layer::Layer;

use super::{CircuitBreakerService, Fallback, NoFallback, PendingWhileOpen, pick::Picks};
use crate::{AtBodyEnd, AtHead, ByResult, CircuitBreaker, GrpcClassifier, HttpClassifier};

/// Puts a breaker around services. See [`CircuitBreakerService`].
///
/// All services that a layer and its clones make share the breaker. Where each host, tenant or route is to have one of its own, keyed
/// breakers are given in its place: [`KeyedBreakers::by`](crate::KeyedBreakers::by).
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
    otherwise: F,
}

impl<P: Picks> CircuitBreakerLayer<AtHead<ByResult>, P> {
    /// Puts this breaker, or [keyed ones](crate::KeyedBreakers::by), around services whose calls fail by their errors.
    #[must_use]
    pub fn new(breaker: P) -> Self {
        Self::of(breaker, AtHead::new(ByResult))
    }
}

impl<P: Picks> CircuitBreakerLayer<AtHead<HttpClassifier>, P> {
    /// Puts this breaker, or [keyed ones](crate::KeyedBreakers::by), around services of HTTP: responses of 5xx and 429 are failures, too,
    /// and `Retry-After` is listened to, as [`HttpClassifier`] says.
    ///
    /// Calls count as soon as their heads are there. For a body that breaks to be a failure, there is
    /// `.classify_bodies(HttpClassifier::new())`.
    ///
    /// # Example
    /// ```
    /// use http::{Request, Response, StatusCode};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerLayer, State};
    /// use tower_vitals_core::Vitals;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let breaker = CircuitBreaker::builder("stock").consecutive_failures(1).build(&Vitals::new())?;
    /// let client = CircuitBreakerLayer::http(breaker.clone()).layer(service_fn(|_: Request<()>| async {
    ///     let mut response = Response::new(());
    ///     *response.status_mut() = StatusCode::BAD_GATEWAY;
    ///     Ok::<_, std::io::Error>(response)
    /// }));
    /// assert_eq!(client.oneshot(Request::new(())).await?.status(), 502);
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn http(breaker: P) -> Self {
        Self::of(breaker, AtHead::new(HttpClassifier::new()))
    }
}

impl<P: Picks> CircuitBreakerLayer<AtBodyEnd<GrpcClassifier>, P> {
    /// Puts this breaker, or [keyed ones](crate::KeyedBreakers::by), around services of gRPC, whose calls fail by the status in their
    /// trailers, as [`GrpcClassifier`] says. So their bodies are watched, and responses have a [`BreakerBody`](crate::BreakerBody).
    ///
    /// # Example
    /// ```
    /// use bytes::Bytes;
    /// use http::{HeaderMap, Request, Response};
    /// use http_body_util::{BodyExt, Empty};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerLayer, State};
    /// use tower_vitals_core::Vitals;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let breaker = CircuitBreaker::builder("stock").consecutive_failures(1).build(&Vitals::new())?;
    /// let channel = CircuitBreakerLayer::grpc(breaker.clone()).layer(service_fn(|_: Request<()>| async {
    ///     let unavailable = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "14".parse().unwrap())]);
    ///     let body = Empty::<Bytes>::new().with_trailers(async { Some(Ok(unavailable)) });
    ///     Ok::<_, std::io::Error>(Response::new(body))
    /// }));
    /// let response = channel.oneshot(Request::new(())).await?;
    /// assert_eq!(breaker.state(), State::Closed);
    /// response.into_body().collect().await?;
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn grpc(breaker: P) -> Self {
        Self::of(breaker, AtBodyEnd::new(GrpcClassifier::new()))
    }
}

impl<K, P> CircuitBreakerLayer<K, P> {
    fn of(picks: P, settle: K) -> Self {
        let otherwise = NoFallback;
        Self {
            picks,
            settle,
            otherwise,
        }
    }

    /// Sends what the breaker rejects to a service of the same response and error types. What it answers is not counted, and its bodies
    /// are not watched.
    ///
    /// A rejected request goes to a clone of this service. Its response waits for the clone to be ready, so what `poll_ready` says does
    /// not depend on the fallback. It stays there even if the breaker closes meanwhile. If the clone fails, its error stands as
    /// [`BreakerError::Inner`](crate::BreakerError::Inner), and nothing tells that the request was rejected before.
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
        self.otherwise(Fallback::new(service))
    }
}

impl<K> CircuitBreakerLayer<K> {
    /// Makes services not ready as long as the breaker would reject, so that a balancer sends requests elsewhere.
    ///
    /// A service waits with tokio's timer for the open time to be over, and is woken by every change of the breaker before. Nothing is
    /// reserved for it: of many that are woken for one probe's place, all but one reject or wait again. Where nobody else takes the
    /// requests, they wait for the open time instead of being rejected. So there is nothing for a [fallback](Self::fallback) to do, and
    /// with breakers that are chosen by request, nothing to wait for.
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
    pub fn pending_while_open(self) -> CircuitBreakerLayer<K, CircuitBreaker, PendingWhileOpen> {
        self.otherwise(PendingWhileOpen)
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
        self.settle(AtHead::new(classifier))
    }

    /// Has a classifier say how calls ended when the bodies of their responses did: [`HttpClassifier`] or [`GrpcClassifier`]. Responses
    /// have a [`BreakerBody`](crate::BreakerBody) then. See [`AtBodyEnd`].
    ///
    /// # Example
    /// ```
    /// use bytes::Bytes;
    /// use http::Response;
    /// use http_body_util::{BodyExt, channel::Channel};
    /// use tower::{BoxError, Layer, ServiceExt, service_fn};
    /// use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerLayer, HttpClassifier, State};
    /// use tower_vitals_core::Vitals;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let breaker = CircuitBreaker::builder("stock").consecutive_failures(1).build(&Vitals::new())?;
    /// let client = CircuitBreakerLayer::new(breaker.clone())
    ///     .classify_bodies(HttpClassifier::new())
    ///     .layer(service_fn(|_: http::Request<()>| async {
    ///         let (sender, body) = Channel::<Bytes, BoxError>::new(1);
    ///         sender.abort("the connection broke".into());
    ///         Ok::<_, std::io::Error>(Response::new(body))
    ///     }));
    /// let response = client.oneshot(http::Request::new(())).await?;
    /// assert!(response.into_body().collect().await.is_err());
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok(())
    /// # }
    /// ```
    pub fn classify_bodies<C>(self, classifier: C) -> CircuitBreakerLayer<AtBodyEnd<C>, P, F> {
        self.settle(AtBodyEnd::new(classifier))
    }

    fn settle<L>(self, settle: L) -> CircuitBreakerLayer<L, P, F> {
        CircuitBreakerLayer {
            picks: self.picks,
            settle,
            otherwise: self.otherwise,
        }
    }

    fn otherwise<G>(self, otherwise: G) -> CircuitBreakerLayer<K, P, G> {
        CircuitBreakerLayer {
            picks: self.picks,
            settle: self.settle,
            otherwise,
        }
    }
}

impl<S, K: Clone, P: Picks, F: Clone> Layer<S> for CircuitBreakerLayer<K, P, F> {
    type Service = CircuitBreakerService<S, K, P::Pick, F>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreakerService::new(inner, self.picks.pick(), self.settle.clone(), self.otherwise.clone())
    }
}
