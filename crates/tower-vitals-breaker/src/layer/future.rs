use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{BreakerError, Rejected, Settle, held::Held};

pin_project! {
    /// The future of [`CircuitBreakerService`](super::CircuitBreakerService).
    ///
    /// # Cancel safety
    /// Dropped before its end, it counts as `cancelled`. A panic inside the inner future counts as `panicked`.
    ///
    /// # Panics
    /// When it is polled after its end.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, K, G> {
        #[pin]
        stage: Stage<F, K, G>,
    }
}

pin_project! {
    #[project = StageProj]
    enum Stage<F, K, G> {
        Admitted { #[pin] future: F, held: Held, settle: K },
        Fallback { #[pin] future: G, settle: K },
        Rejected { rejected: Option<Rejected> },
    }
}

impl<F, K, G> ResponseFuture<F, K, G> {
    pub(super) fn admitted(future: F, held: Held, settle: K) -> Self {
        let stage = Stage::Admitted { future, held, settle };
        Self { stage }
    }

    pub(super) fn fallback(future: G, settle: K) -> Self {
        let stage = Stage::Fallback { future, settle };
        Self { stage }
    }

    pub(super) fn rejected(rejected: Rejected) -> Self {
        let rejected = Some(rejected);
        let stage = Stage::Rejected { rejected };
        Self { stage }
    }
}

impl<F, K, G, T, E> Future for ResponseFuture<F, K, G>
where
    F: Future<Output = Result<T, E>>,
    K: Settle<T, E>,
    G: Future<Output = Result<T, E>>,
{
    type Output = Result<K::Response, BreakerError<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        if let StageProj::Rejected { rejected } = stage.as_mut().project() {
            let rejected = rejected.take().expect("`ResponseFuture` is not polled after its end");
            return Poll::Ready(Err(BreakerError::Rejected(rejected)));
        }
        stage.poll(cx)
    }
}

impl<F, K, G> Stage<F, K, G> {
    /// Polls what was called, apart from rejections, which are quick.
    #[inline(never)]
    fn poll<T, E>(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<K::Response, BreakerError<E>>>
    where
        F: Future<Output = Result<T, E>>,
        K: Settle<T, E>,
        G: Future<Output = Result<T, E>>,
    {
        let result = match self.as_mut().project() {
            StageProj::Admitted { future, held, settle } => {
                let result = ready!(held.during(|| future.poll(cx)));
                let permit = held.take().expect("`ResponseFuture` is not polled after its end");
                settle.settle(result, permit)
            }
            StageProj::Fallback { future, settle } => {
                let result = ready!(future.poll(cx));
                result.map(|response| settle.stand_in(response))
            }
            StageProj::Rejected { .. } => return Poll::Pending,
        };
        // What the inner future holds is free as soon as it ended.
        self.set(Stage::Rejected { rejected: None });
        Poll::Ready(result.map_err(BreakerError::Inner))
    }
}

impl<F, K, G> fmt::Debug for ResponseFuture<F, K, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Admitted { .. } => "admitted",
            Stage::Fallback { .. } => "fallback",
            Stage::Rejected { rejected: Some(_) } => "rejected",
            Stage::Rejected { rejected: None } => "ended",
        };
        f.debug_struct("ResponseFuture")
            .field("stage", &stage)
            .finish_non_exhaustive()
    }
}
