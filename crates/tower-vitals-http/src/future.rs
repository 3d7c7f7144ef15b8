use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{MetricsBody, Outcome, counted::Counted};

pin_project! {
    /// The future of [`Metrics`](crate::Metrics).
    ///
    /// # Cancel safety
    /// Dropped before the head, the request is recorded as `aborted`.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        // None when a layer further out counts this request.
        counted: Option<Counted>,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(inner: F, counted: Option<Counted>) -> Self {
        Self { inner, counted }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<MetricsBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(counted) = this.counted else {
            return this
                .inner
                .poll(cx)
                .map_ok(|response| response.map(|body| MetricsBody::new(body, None)));
        };
        counted.on_drop = Outcome::Panicked;
        let scope = counted.slot.enter();
        let polled = this.inner.poll(cx);
        drop(scope);
        if polled.is_pending() {
            counted.on_drop = Outcome::Aborted;
        }
        match ready!(polled) {
            Ok(response) => {
                if counted.is_complete_with(&response) {
                    counted.finish(Outcome::Completed);
                    *this.counted = None;
                }
                let rest = this.counted.take();
                Poll::Ready(Ok(response.map(|body| MetricsBody::new(body, rest))))
            }
            Err(error) => {
                counted.finish(Outcome::Failed);
                *this.counted = None;
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("counted", &self.counted.is_some())
            .finish_non_exhaustive()
    }
}
