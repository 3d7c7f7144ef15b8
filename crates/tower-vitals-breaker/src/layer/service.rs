use std::{
    fmt,
    task::{Context, Poll, ready},
};

use tower_service::Service;

use super::{
    NoFallback, OneBreaker, ResponseFuture,
    fallback::Otherwise,
    pending::Wait,
    pick::{Of, Pick, Picked},
};
use crate::{AtHead, BreakerError, ByResult, Permit, Rejected, Settle, held::Held};

/// A service with a breaker around it, by [`CircuitBreakerLayer`](super::CircuitBreakerLayer).
///
/// # Readiness
/// `poll_ready` takes nothing from the breaker. As long as the breaker would reject, it is ready without asking the inner service;
/// otherwise it is ready when that is, or when the breaker opens before. `call` takes the permit. If the open time ends in between, a
/// request for which the inner service was not asked is rejected with a time of zero to wait; it takes no probe's place.
///
/// Where breakers are chosen [by key](crate::KeyedBreakers::by), it is ready when the inner service is.
///
/// # Errors
/// What the breaker rejects and what the inner service fails with are a [`BreakerError`], which says how it goes with layers that want
/// boxed errors. `poll_ready` fails only as the inner service's does; that is no call, so the breaker does not count it.
///
/// # Clone
/// Clones share the breaker. What the inner service was asked for stays with the original.
pub struct CircuitBreakerService<S, K = AtHead<ByResult>, P = OneBreaker, F = NoFallback> {
    inner: S,
    pick: P,
    settle: K,
    otherwise: F,
    /// Whether the inner service was asked for readiness and granted it, so that it may be called once.
    is_ready: bool,
    wait: Option<Wait>,
}

impl<S, K, P, F> CircuitBreakerService<S, K, P, F> {
    pub(super) fn new(inner: S, pick: P, settle: K, otherwise: F) -> Self {
        Self {
            inner,
            pick,
            settle,
            otherwise,
            is_ready: false,
            wait: None,
        }
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

    /// Mostly there is nothing that waits, which is quicker to see than to drop.
    #[inline]
    fn wait_no_more(&mut self) {
        if self.wait.is_some() {
            self.wait = None;
        }
    }

    /// The permit of a request, if it may be called.
    #[inline]
    fn admit<Req>(&mut self, request: &Req) -> Result<Permit, Rejected>
    where
        P: Pick<Req>,
    {
        let Picked { shared } = self.pick.of(request);
        if self.is_ready {
            return Permit::acquire(shared);
        }
        let refusal = shared.refuse();
        Err(Rejected::new(shared, refusal))
    }
}

impl<S, K, P, F, Req> Service<Req> for CircuitBreakerService<S, K, P, F>
where
    S: Service<Req>,
    K: Settle<S::Response, S::Error> + Clone,
    P: Pick<Req>,
    F: Otherwise<Req, S::Response, S::Error>,
{
    type Response = K::Response;
    type Error = BreakerError<S::Error>;
    type Future = ResponseFuture<S::Future, K, F::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let Some(Of { shared }) = self.pick.of_all() else {
            return ask(&mut self.inner, &mut self.is_ready, cx).map_err(BreakerError::Inner);
        };
        loop {
            if shared.would_reject() {
                if !F::WAITS {
                    self.wait_no_more();
                    return Poll::Ready(Ok(()));
                }
                ready!(Wait::of(&mut self.wait, shared).poll(cx));
                continue;
            }
            let polled = ask(&mut self.inner, &mut self.is_ready, cx);
            if polled.is_ready() {
                self.wait_no_more();
                return polled.map_err(BreakerError::Inner);
            }
            // As soon as the breaker opens, nobody waits for the inner service any more.
            Wait::of(&mut self.wait, shared).watch(cx);
            if !shared.would_reject() {
                return Poll::Pending;
            }
        }
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        match self.admit(&request) {
            Ok(permit) => {
                self.is_ready = false;
                let mut held = Held::new(permit);
                let future = held.during(|| self.inner.call(request));
                ResponseFuture::admitted(future, held, self.settle.clone())
            }
            Err(rejected) => match self.otherwise.call(request) {
                Some(future) => ResponseFuture::fallback(future, self.settle.clone()),
                None => ResponseFuture::rejected(rejected),
            },
        }
    }
}

/// Asks a service for readiness, and keeps whether it granted it.
fn ask<S: Service<Req>, Req>(service: &mut S, is_ready: &mut bool, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
    let polled = service.poll_ready(cx);
    *is_ready = matches!(polled, Poll::Ready(Ok(())));
    polled
}

impl<S: Clone, K: Clone, P: Clone, F: Clone> Clone for CircuitBreakerService<S, K, P, F> {
    fn clone(&self) -> Self {
        // Readiness was granted to the original.
        Self::new(
            self.inner.clone(),
            self.pick.clone(),
            self.settle.clone(),
            self.otherwise.clone(),
        )
    }
}

impl<S: fmt::Debug, K, P: fmt::Debug, F> fmt::Debug for CircuitBreakerService<S, K, P, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerService")
            .field("inner", &self.inner)
            .field("breaker", &self.pick)
            .field("is_ready", &self.is_ready)
            .finish_non_exhaustive()
    }
}
