use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_vitals_core::spread::Lent;

use crate::{BreakerError, ByResult, CircuitBreaker, Classifier, Permit, held::Held, shared::Shared, sync::Arc};

pin_project! {
    /// The future of [`CircuitBreaker::call`] and [`call_with`](CircuitBreaker::call_with).
    ///
    /// The call begins with the first poll and ends when the future does. A future that is never polled calls and counts nothing.
    ///
    /// # Cancel safety
    /// Dropped after its first poll and before its end, it counts as `cancelled`, even while its thread unwinds from a panic elsewhere.
    /// A panic inside the future that is called counts as `panicked`.
    ///
    /// # Panics
    /// When it is polled after its end.
    #[must_use = "futures do nothing unless polled"]
    pub struct Call<F, C> {
        // Before the permit: what the future does when it is dropped belongs to the call.
        #[pin]
        future: Option<F>,
        held: Held,
        breaker: Option<Lent<Arc<Shared>>>,
        classifier: C,
    }
}

impl CircuitBreaker {
    /// Makes a call that fails by its error.
    ///
    /// The future is polled only when the breaker lets the call through, and owns all it needs.
    ///
    /// # Errors
    /// The future gives [`BreakerError::Rejected`] when the breaker does not let it through, and [`BreakerError::Inner`] for its own error.
    ///
    /// # Cost
    /// It allocates nothing.
    ///
    /// # Example
    /// ```
    /// use tower_vitals_breaker::{BreakerError, CircuitBreaker};
    /// use tower_vitals_core::Vitals;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_vitals_breaker::BuildError> {
    /// let breaker = CircuitBreaker::builder("stock").consecutive_failures(1).build(&Vitals::new())?;
    /// let asked = breaker.call(async { Err::<u32, _>("no route") }).await;
    /// assert!(matches!(asked, Err(BreakerError::Inner("no route"))));
    /// let again = breaker.call(async { Ok::<_, &str>(7) }).await;
    /// assert!(matches!(again, Err(BreakerError::Rejected(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn call<F, T, E>(&self, future: F) -> Call<F, ByResult>
    where
        F: Future<Output = Result<T, E>>,
        E: 'static,
    {
        self.call_with(ByResult, future)
    }

    /// Makes a call of which a classifier says how it ended.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    ///
    /// # Example
    /// ```
    /// use tower_vitals_breaker::{CircuitBreaker, State, Verdict};
    /// use tower_vitals_core::Vitals;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_vitals_breaker::BuildError> {
    /// let breaker = CircuitBreaker::builder("stock").consecutive_failures(1).build(&Vitals::new())?;
    /// let by_status = |result: Result<&u16, &&str>| match result {
    ///     Ok(status) if *status < 500 => Verdict::SUCCESS,
    ///     _ => Verdict::FAILURE,
    /// };
    /// assert_eq!(breaker.call_with(by_status, async { Ok::<_, &str>(503) }).await.ok(), Some(503));
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_with<C, F, T, E>(&self, classifier: C, future: F) -> Call<F, C>
    where
        C: Classifier<T, E>,
        F: Future<Output = Result<T, E>>,
    {
        Call {
            future: Some(future),
            held: Held::default(),
            breaker: Some(self.lend()),
            classifier,
        }
    }
}

impl<F, C, T, E> Future for Call<F, C>
where
    F: Future<Output = Result<T, E>>,
    C: Classifier<T, E>,
{
    type Output = Result<T, BreakerError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(breaker) = this.breaker.take() {
            match Permit::acquire(breaker) {
                Ok(permit) => *this.held = Held::new(permit),
                Err(rejected) => {
                    this.future.set(None);
                    return Poll::Ready(Err(BreakerError::Rejected(rejected)));
                }
            }
        }
        let future = this.future.as_mut().as_pin_mut().expect("`Call` is not polled after its end");
        let classifier = this.classifier;
        let (result, verdict) = ready!(this.held.during(|| {
            future.poll(cx).map(|result| {
                let verdict = classifier.classify(result.as_ref());
                (result, verdict)
            })
        }));
        if let Some(permit) = this.held.take() {
            permit.record(verdict);
        }
        this.future.set(None);
        Poll::Ready(result.map_err(BreakerError::Inner))
    }
}

impl<F, C> fmt::Debug for Call<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("has_begun", &self.breaker.is_none())
            .field("has_ended", &self.future.is_none())
            .finish_non_exhaustive()
    }
}
