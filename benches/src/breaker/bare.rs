//! What is called, without a breaker.

use std::{
    convert::identity,
    future::{Ready, ready},
};

use tower::{Service, service_fn};

use super::call::{self, Answer, Breaker, Failed, Outcome};

/// The service that answers at once.
pub(super) fn far_end()
-> impl Service<Answer, Response = (), Error = Failed, Future = Ready<Answer>> + Clone + Send + Sync + 'static {
    service_fn(ready::<Answer>)
}

/// The service alone.
pub(super) fn service() -> impl Breaker {
    call::service(far_end(), Outcome::of)
}

/// A future that is ready, polled once.
pub(super) fn future() -> impl Breaker {
    |answer| Outcome::of(&call::finish(ready(answer)))
}

/// A function, called.
pub(super) fn function() -> impl Breaker {
    |answer| Outcome::of(&identity(answer))
}
