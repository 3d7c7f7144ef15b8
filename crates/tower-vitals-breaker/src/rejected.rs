use std::{error::Error, fmt, time::Duration};

use http::{HeaderValue, Response, StatusCode, header::RETRY_AFTER};
use tower_vitals_core::spread::Lent;

use crate::{
    RejectReason,
    classify::chain::{links, tells},
    shared::{Refusal, Shared},
    sync::Arc,
};

/// A breaker did not let a call through. Nothing was called.
///
/// It says which breaker, why, and, where that is known, in what time another try is worth it. It costs no allocation.
///
/// It holds its breaker: as long as it is kept, a [keyed](crate::KeyedBreakers) one does not make room for another.
///
/// # Example
/// ```
/// use tower_vitals_breaker::CircuitBreaker;
/// use tower_vitals_core::Vitals;
///
/// let breaker = CircuitBreaker::builder("model-api").build(&Vitals::new())?;
/// breaker.force_open();
/// let rejected = breaker.try_acquire().unwrap_err();
/// assert_eq!(rejected.to_string(), "circuit breaker `model-api` was forced open");
/// assert_eq!(rejected.retry_after(), None);
/// # Ok::<(), tower_vitals_breaker::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Rejected {
    shared: Lent<Arc<Shared>>,
    refusal: Refusal,
}

/// Why there is no answer: the breaker rejected the call, or the call failed.
///
/// # As an error
/// It is an [`Error`] where the error of the call is one. It reads as what it holds. Its source is the [`Rejected`], where
/// [`find_rejection`] finds it whatever wraps it, or what lies below the error of the call. A rejection, a timeout and an [`io::Error`]
/// around another error are sources themselves, so that outer breakers can tell them.
///
/// [`io::Error`]: std::io::Error
///
/// `Box<dyn Error + Send + Sync>`, the error of Tower's own `Timeout`, `Buffer` and others, is no `Error` itself, and Rust gives no way
/// to say "an `Error`, or a box of one" without losing the sources of all other errors. Where a layer outside of the breaker wants
/// something that becomes such a box, and the service inside fails with one, [`into_box`](Self::into_box) goes between. Rejections are
/// found in the box, also by [`UnavailableLayer`](crate::UnavailableLayer).
///
/// ```
/// use std::time::Duration;
/// use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
/// use tower_vitals_breaker::{BreakerError, CircuitBreaker, CircuitBreakerLayer, find_rejection};
/// use tower_vitals_core::Vitals;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_vitals_breaker::BuildError> {
/// let breaker = CircuitBreaker::builder("stock").build(&Vitals::new())?;
/// breaker.force_open();
/// let service = ServiceBuilder::new()
///     .timeout(Duration::from_secs(10))
///     .map_err(BreakerError::into_box)
///     .layer(CircuitBreakerLayer::new(breaker))
///     .timeout(Duration::from_secs(1))
///     .service(service_fn(|()| async { Ok::<_, BoxError>("from the stock") }));
/// let error = service.oneshot(()).await.unwrap_err();
/// assert_eq!(find_rejection(&*error).unwrap().breaker(), "stock");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub enum BreakerError<E> {
    /// The breaker did not let the call through.
    Rejected(Rejected),
    /// The call failed.
    Inner(E),
}

/// The rejection in an error or below it, if there is one: also where the errors of other layers and further breakers wrap it.
///
/// # Example
/// ```
/// use std::{error::Error, io};
/// use tower_vitals_breaker::{BreakerError, CircuitBreaker, find_rejection};
/// use tower_vitals_core::Vitals;
///
/// let breaker = CircuitBreaker::builder("model-api").build(&Vitals::new())?;
/// breaker.force_open();
/// let error: BreakerError<io::Error> = breaker.try_acquire().unwrap_err().into();
/// let error: Box<dyn Error + Send + Sync> = io::Error::other(error).into();
/// assert_eq!(find_rejection(&*error).unwrap().breaker(), "model-api");
/// # Ok::<(), tower_vitals_breaker::BuildError>(())
/// ```
#[must_use]
pub fn find_rejection<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Rejected> {
    links(error).find_map(<dyn Error>::downcast_ref)
}

// === impl Rejected ===

impl Rejected {
    #[inline]
    pub(crate) fn new(shared: Lent<Arc<Shared>>, refusal: Refusal) -> Self {
        Self { shared, refusal }
    }

    /// The name of the breaker.
    #[must_use]
    pub fn breaker(&self) -> &str {
        self.shared.name()
    }

    /// Why it was rejected.
    #[must_use]
    pub fn reason(&self) -> RejectReason {
        self.refusal.reason
    }

    /// In what time from now a call may go through again: what is left of the open time. `None` where that is not known: a half-open
    /// breaker waits for its probes, and one that was forced open for an operator.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.nanos_left().map(Duration::from_nanos)
    }

    fn nanos_left(&self) -> Option<u64> {
        self.refusal.retry_after(self.shared.clock().nanos())
    }

    /// The response 503, with an empty body. Where the time is known, `Retry-After` has it in whole seconds, rounded up, so that whoever
    /// waits for it does not come too early.
    ///
    /// # Example
    /// ```
    /// use std::time::Duration;
    /// use tower_vitals_breaker::CircuitBreaker;
    /// use tower_vitals_core::Vitals;
    ///
    /// let breaker = CircuitBreaker::builder("model-api").build(&Vitals::new())?;
    /// breaker.force_open_for(Duration::from_secs(30));
    /// let response = breaker.try_acquire().unwrap_err().into_response::<String>();
    /// assert_eq!(response.status(), 503);
    /// assert_eq!(response.headers()["retry-after"], "30");
    /// # Ok::<(), tower_vitals_breaker::BuildError>(())
    /// ```
    #[must_use]
    #[allow(clippy::needless_pass_by_value)] // as every `into_response` has it
    pub fn into_response<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        if let Some(nanos) = self.nanos_left() {
            let seconds = nanos.div_ceil(NANOS_PER_SECOND).max(1);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self.reason() {
            RejectReason::Open => "is open",
            RejectReason::HalfOpenFull => "is half-open and all its probes are on their way",
            RejectReason::ForcedOpen => "was forced open",
        };
        write!(f, "circuit breaker `{}` {said}", self.breaker())?;
        match self.nanos_left() {
            Some(nanos) => {
                let tenths = nanos.div_ceil(NANOS_PER_SECOND / 10).max(1);
                write!(f, "; try again in {}.{}s", tenths / 10, tenths % 10)
            }
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("breaker", &self.breaker())
            .field("reason", &self.reason())
            .field("retry_after", &self.retry_after())
            .finish()
    }
}

impl Error for Rejected {}

// === impl BreakerError ===

impl<E> BreakerError<E> {
    /// Whether the breaker rejected the call, so that nothing was called.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }

    /// The rejection, if it is one by this breaker. [`find_rejection`] finds those of breakers further in, too.
    #[must_use]
    pub fn rejection(&self) -> Option<&Rejected> {
        match self {
            Self::Rejected(rejected) => Some(rejected),
            Self::Inner(_) => None,
        }
    }

    /// The error of the call, if it was made.
    #[must_use]
    pub fn inner(&self) -> Option<&E> {
        match self {
            Self::Rejected(_) => None,
            Self::Inner(error) => Some(error),
        }
    }

    /// The error of the call, if it was made.
    #[must_use]
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Rejected(_) => None,
            Self::Inner(error) => Some(error),
        }
    }

    /// The same with another error of the call.
    pub fn map_inner<F>(self, map: impl FnOnce(E) -> F) -> BreakerError<F> {
        match self {
            Self::Rejected(rejected) => BreakerError::Rejected(rejected),
            Self::Inner(error) => BreakerError::Inner(map(error)),
        }
    }

    /// What it holds, in the box that Tower's own layers know. It allocates, unless what it holds is such a box.
    #[must_use]
    pub fn into_box(self) -> Box<dyn Error + Send + Sync>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        match self {
            Self::Rejected(rejected) => rejected.into(),
            Self::Inner(error) => error.into(),
        }
    }
}

impl<E> From<Rejected> for BreakerError<E> {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl<E: fmt::Display> fmt::Display for BreakerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for BreakerError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rejected(rejected) => Some(rejected),
            // What would be lost is not said twice for nothing.
            Self::Inner(error) if tells(error) => Some(error),
            Self::Inner(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt::Display, io};

    use tower_vitals_core::{Clock, ManualClock, Vitals};

    use super::*;
    use crate::{CircuitBreaker, OpenFor, Verdict, classify::rejected};

    type BoxError = Box<dyn Error + Send + Sync>;

    fn breaker() -> (CircuitBreaker, ManualClock) {
        let manual = ManualClock::new();
        let vitals = Vitals::builder().clock(Clock::manual(&manual)).build().unwrap();
        let breaker = CircuitBreaker::builder("model-api")
            .consecutive_failures(1)
            .open_for(OpenFor::constant(Duration::from_secs(5)));
        (breaker.build(&vitals).unwrap(), manual)
    }

    /// The rejection by a breaker that has been open for so long.
    fn after(elapsed: Duration) -> Rejected {
        let (breaker, manual) = breaker();
        breaker.try_acquire().unwrap().record(Verdict::FAILURE);
        manual.advance(elapsed);
        breaker.try_acquire().unwrap_err()
    }

    fn retry_after(rejected: Rejected) -> Option<String> {
        let response = rejected.into_response::<()>();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        response
            .headers()
            .get(RETRY_AFTER)
            .map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn it_says_which_why_and_how_long() {
        let open = after(Duration::from_millis(850));
        assert_eq!(open.to_string(), "circuit breaker `model-api` is open; try again in 4.2s");
        assert_eq!(open.retry_after(), Some(Duration::from_millis(4150)));
        let nearly_over = after(Duration::from_nanos(4_999_999_999));
        assert_eq!(
            nearly_over.to_string(),
            "circuit breaker `model-api` is open; try again in 0.1s"
        );

        let (breaker, manual) = breaker();
        breaker.try_acquire().unwrap().record(Verdict::FAILURE);
        manual.advance(Duration::from_secs(5));
        let _probe = breaker.try_acquire().unwrap();
        let full = breaker.try_acquire().unwrap_err();
        assert_eq!(
            full.to_string(),
            "circuit breaker `model-api` is half-open and all its probes are on their way"
        );
        breaker.force_open_for(Duration::from_secs(60));
        let forced = breaker.try_acquire().unwrap_err();
        assert_eq!(
            forced.to_string(),
            "circuit breaker `model-api` was forced open; try again in 60.0s"
        );
    }

    #[test]
    fn retry_after_is_rounded_up() {
        for (elapsed, expected) in [
            (0, "5"),
            (1, "5"),
            (999, "5"),
            (1000, "4"),
            (1001, "4"),
            (4001, "1"),
            (4999, "1"),
        ] {
            let rejected = after(Duration::from_millis(elapsed));
            assert_eq!(retry_after(rejected).as_deref(), Some(expected), "after {elapsed} ms");
        }
        assert_eq!(retry_after(rejected()), None, "nobody knows");
        let mut over = after(Duration::ZERO);
        over.refusal.until = 0;
        assert_eq!(retry_after(over).as_deref(), Some("1"));
    }

    #[test]
    fn it_is_found_wherever_it_is() {
        fn found(error: &(dyn Error + 'static)) -> bool {
            find_rejection(error).is_some_and(|rejected| rejected.breaker() == "inner")
        }
        type Inner = BreakerError<io::Error>;
        let inner = || Inner::Rejected(rejected());
        let boxed = |error: BoxError| found(&*error);
        assert!(found(&rejected()));
        assert!(found(&inner()));
        assert!(found(&BreakerError::Inner(inner())));
        assert!(found(&BreakerError::Inner(BreakerError::Inner(rejected()))));
        assert!(found(&BreakerError::Inner(io::Error::other(rejected()))));
        assert!(found(&io::Error::other(BreakerError::Inner(inner()))));
        assert!(boxed(inner().into()));
        assert!(boxed(BreakerError::<BoxError>::Rejected(rejected()).into_box()));
        assert!(boxed(
            BreakerError::<BoxError>::Inner(BreakerError::Inner(inner()).into()).into_box()
        ));
        assert!(!found(&Inner::Inner(io::ErrorKind::TimedOut.into())));
        assert!(!boxed("down".into()));
    }

    #[test]
    fn an_error_of_the_call_is_seen_through() {
        #[derive(Debug)]
        struct Outer(fmt::Error);
        impl Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("outer")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = BreakerError::Inner(Outer(fmt::Error));
        assert_eq!(error.to_string(), "outer");
        assert!(error.source().unwrap().is::<fmt::Error>());
        assert!(BreakerError::Inner(fmt::Error).source().is_none());
    }

    #[test]
    fn it_gives_what_it_holds() {
        let rejected: BreakerError<u8> = rejected().into();
        assert!(rejected.is_rejected() && rejected.rejection().is_some());
        assert_eq!((rejected.inner(), rejected.clone().into_inner()), (None, None));
        assert!(rejected.map_inner(u16::from).is_rejected());
        let inner = BreakerError::Inner(7_u8);
        assert!(!inner.is_rejected() && inner.rejection().is_none());
        assert_eq!((inner.inner(), inner.clone().into_inner()), (Some(&7), Some(7)));
        assert_eq!(inner.map_inner(u16::from).into_inner(), Some(7_u16));
        let boxed: BoxError = BreakerError::<BoxError>::Inner("down".into()).into_box();
        assert_eq!(boxed.to_string(), "down");
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<Rejected>() <= 32);
    }
}
