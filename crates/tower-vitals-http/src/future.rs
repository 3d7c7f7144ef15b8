use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
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
    #[inline]
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

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = match this.counted {
            None => this.inner.poll(cx),
            Some(counted) => {
                counted.on_drop = Some(Outcome::Panicked);
                let scope = counted.enter();
                let polled = this.inner.poll(cx);
                drop(scope);
                if let Some(outcome) = outcome(&polled, counted) {
                    counted.finish_early(outcome);
                    *this.counted = None;
                }
                polled
            }
        };
        polled.map_ok(|response| {
            let (head, body) = response.into_parts();
            Response::from_parts(head, MetricsBody::new(body, this.counted.take()))
        })
    }
}

/// How the request ended, if it did with what the service gave.
#[inline(always)]
fn outcome<R: Body, E>(polled: &Poll<Result<Response<R>, E>>, counted: &mut Counted) -> Option<Outcome> {
    match polled {
        Poll::Pending => {
            counted.on_drop = Some(Outcome::Aborted);
            None
        }
        Poll::Ready(Ok(response)) => counted.is_complete_with(response).then_some(Outcome::Completed),
        Poll::Ready(Err(_)) => Some(Outcome::Failed),
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("counted", &self.counted.is_some())
            .finish_non_exhaustive()
    }
}
