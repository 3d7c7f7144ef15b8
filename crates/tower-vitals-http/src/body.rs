use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{Outcome, counted::Rest};

pin_project! {
    /// The body of a response that is counted to its end. Frames, trailers, errors, size and end are those of the inner body.
    pub struct MetricsBody<B> {
        #[pin]
        inner: B,
        // None when the request is recorded already, or not counted here.
        rest: Option<Rest>,
    }
}

impl<B> MetricsBody<B> {
    pub(crate) fn new(inner: B, rest: Option<Rest>) -> Self {
        Self { inner, rest }
    }

    /// The inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

impl<B: Body> Body for MetricsBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(rest) = this.rest else {
            return this.inner.poll_frame(cx);
        };
        let on_drop = rest.enter();
        let polled = this.inner.as_mut().poll_frame(cx);
        let ended = polled.is_ready() && this.inner.is_end_stream();
        rest.returned(on_drop);
        let frame = ready!(polled);
        let outcome = match &frame {
            None => Some(Outcome::Completed),
            Some(Err(_)) => Some(Outcome::Failed),
            Some(Ok(frame)) => {
                let complete =
                    frame.is_trailers() || frame.data_ref().is_some_and(|data| rest.is_complete_after(data.remaining()));
                (complete || ended).then_some(Outcome::Completed)
            }
        };
        if let (Some(outcome), Some(rest)) = (outcome, outcome.and_then(|_| this.rest.take())) {
            rest.finish(outcome);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Default> Default for MetricsBody<B> {
    /// An empty body that counts nothing.
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B: fmt::Debug> fmt::Debug for MetricsBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsBody")
            .field("inner", &self.inner)
            .field("counted", &self.rest.is_some())
            .finish()
    }
}
