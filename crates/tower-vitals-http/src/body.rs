use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
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
        // None when the request was recorded with its head, or is not counted here.
        counted: Option<Counted>,
    }
}

impl<B> MetricsBody<B> {
    #[inline]
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

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let mut counted = this.counted.as_mut();
        let on_drop = counted.as_mut().map(|counted| {
            counted.look_at_body();
            counted.on_drop.replace(Outcome::Panicked)
        });
        let polled = this.inner.as_mut().poll_frame(cx);
        if let (Some(counted), Some(on_drop)) = (counted, on_drop) {
            let outcome = outcome(&polled, &this.inner, counted);
            counted.on_drop = on_drop;
            if let Some(outcome) = outcome {
                counted.finish(outcome);
                *this.counted = None;
            }
        }
        polled
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

type Polled<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

/// What a poll of the body says about the end of its request.
#[inline]
fn outcome<B: Body>(polled: &Polled<B>, body: &B, counted: &mut Counted) -> Option<Outcome> {
    // Data comes first here because it comes most often.
    if let Poll::Ready(Some(Ok(frame))) = polled {
        counted.see_frame(frame);
        if let Some(data) = frame.data_ref() {
            if counted.is_complete_after(data.remaining()) {
                return Some(Outcome::Completed);
            }
        }
        return (frame.is_trailers() || body.is_end_stream()).then(|| counted.ended());
    }
    match polled {
        Poll::Pending => None,
        Poll::Ready(None) => Some(counted.ended()),
        Poll::Ready(Some(_)) => Some(Outcome::Failed),
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
