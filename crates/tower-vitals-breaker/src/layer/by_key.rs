use std::{borrow::Cow, fmt};

use tower_vitals_core::{OTHER, spread::Spread};

use super::pick::{Of, Pick, Picked, Picks, sealed::Sealed};
use crate::KeyedBreakers;

/// Each request has the breaker of its key: what [`KeyedBreakers::by`] gives.
#[derive(Clone)]
pub struct ByKey<F> {
    /// Services have handles of their own, so that clones of one do not count references where those of others do.
    breakers: Spread<KeyedBreakers>,
    key: F,
}

impl KeyedBreakers {
    /// Has each request of a [`CircuitBreakerLayer`](crate::CircuitBreakerLayer) go through the breaker of its key. A request without a
    /// key goes through [`other`](Self::other), which is disabled: it lets everything through.
    ///
    /// The key is what a function from the request says: one of [`key`](crate::key), or one of your own. A closure names the type of the
    /// request, and stands in the brackets of this call, where Rust sees what it may borrow from.
    ///
    /// # Readiness
    /// Whose turn it is is not known before there is a request. So services wait for the inner service to be ready, whatever the breakers
    /// say, and requests are rejected when they are made. What was ready for a rejected request is kept for the next one.
    ///
    /// # Cost
    /// That of [`try_acquire`](Self::try_acquire) and of the function. Those of [`key`](crate::key) allocate only where a host is not in
    /// lower case.
    ///
    /// # Example
    /// One breaker per host that a client calls:
    /// ```
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerLayer, key};
    /// use tower_vitals_core::Vitals;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hosts = CircuitBreaker::builder("upstreams").consecutive_failures(1).keyed(&Vitals::new(), 100)?;
    /// let client = ServiceBuilder::new()
    ///     .layer(CircuitBreakerLayer::http(hosts.by(key::host)))
    ///     .service(service_fn(|request: http::Request<()>| async move {
    ///         let status = if request.uri().host() == Some("eu.example.com") { 502 } else { 200 };
    ///         Ok::<_, std::io::Error>(http::Response::builder().status(status).body(()).unwrap())
    ///     }));
    ///
    /// let get = |url: &str| client.clone().oneshot(http::Request::get(url).body(()).unwrap());
    /// assert_eq!(get("https://eu.example.com/").await?.status(), 502);
    /// assert!(get("https://eu.example.com/").await.unwrap_err().is_rejected());
    /// assert_eq!(get("https://us.example.com/").await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// One per route of axum, with the route's own text as the key; what is rejected is answered with 503:
    /// ```
    /// use std::borrow::Cow;
    /// use axum::{Router, extract::{MatchedPath, Request}, routing::get};
    /// use tower::ServiceBuilder;
    /// use tower_vitals_breaker::{CircuitBreaker, CircuitBreakerLayer, UnavailableLayer};
    /// use tower_vitals_core::Vitals;
    ///
    /// fn route(request: &Request) -> Option<Cow<'_, str>> {
    ///     request.extensions().get::<MatchedPath>().map(|path| path.as_str().into())
    /// }
    ///
    /// let routes = CircuitBreaker::builder("routes").keyed(&Vitals::new(), 100)?;
    /// let app: Router = Router::new().route("/users/{id}", get(|| async { "a user" })).layer(
    ///     ServiceBuilder::new()
    ///         .layer(UnavailableLayer)
    ///         .layer(CircuitBreakerLayer::http(routes.by(route))),
    /// );
    /// # Ok::<(), tower_vitals_breaker::BuildError>(())
    /// ```
    pub fn by<Req, F>(&self, key: F) -> ByKey<F>
    where
        F: Fn(&Req) -> Option<Cow<'_, str>>,
    {
        ByKey {
            breakers: Spread::new(self.clone()),
            key,
        }
    }
}

impl<F> ByKey<F> {
    fn set(&self) -> &KeyedBreakers {
        &self.breakers
    }
}

impl<F: Clone> Picks for ByKey<F> {
    type Pick = Self;

    fn pick(&self) -> Self {
        Self {
            breakers: Spread::new(self.set().clone()),
            key: self.key.clone(),
        }
    }
}

impl<Req, F: Fn(&Req) -> Option<Cow<'_, str>>> Pick<Req> for ByKey<F> {
    #[inline]
    fn of(&self, request: &Req) -> Picked {
        let key = (self.key)(request);
        Picked {
            shared: self.set().lend(key.as_deref().unwrap_or(OTHER)),
        }
    }

    #[inline]
    fn of_all(&self) -> Option<Of<'_>> {
        None
    }
}

impl<F> Sealed for ByKey<F> {}

impl<F> fmt::Debug for ByKey<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.set().fmt(f)
    }
}
