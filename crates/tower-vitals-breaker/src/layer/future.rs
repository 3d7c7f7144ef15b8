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
        Fallback { #[pin] future: G },
        Rejected { rejected: Option<Rejected> },
    }
}

impl<F, K, G> ResponseFuture<F, K, G> {
    pub(super) fn admitted(future: F, held: Held, settle: K) -> Self {
        let stage = Stage::Admitted { future, held, settle };
        Self { stage }
    }

    pub(super) fn fallback(future: G) -> Self {
        let stage = Stage::Fallback { future };
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
    G: Future<Output = Result<K::Response, E>>,
{
    type Output = Result<K::Response, BreakerError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        let result = match stage.as_mut().project() {
            StageProj::Admitted { future, held, settle } => {
                let result = ready!(held.during(|| future.poll(cx)));
                let permit = held.take().expect("`ResponseFuture` is not polled after its end");
                settle.settle(result, permit).map_err(BreakerError::Inner)
            }
            StageProj::Fallback { future } => ready!(future.poll(cx)).map_err(BreakerError::Inner),
            StageProj::Rejected { rejected } => {
                let rejected = rejected.take().expect("`ResponseFuture` is not polled after its end");
                return Poll::Ready(Err(BreakerError::Rejected(rejected)));
            }
        };
        // What the inner future holds is free as soon as it ended.
        stage.set(Stage::Rejected { rejected: None });
        Poll::Ready(result)
    }
}

impl<F, K, G> fmt::Debug for ResponseFuture<F, K, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Admitted { .. } => "admitted",
            Stage::Fallback { .. } => "fallback",
            Stage::Rejected { .. } => "rejected",
        };
        f.debug_struct("ResponseFuture")
            .field("stage", &stage)
            .finish_non_exhaustive()
    }
}
