use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{Outcome, counted::Counted};

pin_project! {
    /// The body of a response that is counted to its end. Frames, trailers, errors, size and end are those of the inner body.
    pub struct MetricsBody<B> {
        #[pin]
        inner: B,
        // None when the request is recorded already, or not counted here.
        counted: Option<Counted>,
    }
}

impl<B> MetricsBody<B> {
    pub(crate) fn new(inner: B, counted: Option<Counted>) -> Self {
        Self { inner, counted }
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
        let Some(counted) = this.counted else {
            return this.inner.poll_frame(cx);
        };
        let on_drop = std::mem::replace(&mut counted.on_drop, Outcome::Panicked);
        let polled = this.inner.as_mut().poll_frame(cx);
        if polled.is_pending() {
            counted.on_drop = on_drop;
        }
        let frame = ready!(polled);
        let ended = this.inner.is_end_stream();
        let outcome = match &frame {
            None => Some(counted.ended()),
            Some(Err(_)) => Some(Outcome::Failed),
            Some(Ok(frame)) => {
                let all = frame
                    .data_ref()
                    .is_some_and(|data| counted.is_complete_after(data.remaining()));
                (all || ended || frame.is_trailers()).then(|| counted.ended())
            }
        };
        counted.on_drop = on_drop;
        if let Some(outcome) = outcome {
            counted.finish(outcome);
            *this.counted = None;
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
            .field("counted", &self.counted.is_some())
            .finish()
    }
}
