use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{ByResult, Classifier, GrpcCode, Permit, Verdict, classify::Codes};

pin_project! {
    /// The body of a response whose call is judged at its end: see [`AtBodyEnd`](crate::AtBodyEnd). Frames, trailers, errors, size and
    /// end are those of the inner body.
    ///
    /// Dropped before its end, the call counts as `cancelled`, also while the thread unwinds: what panicked was not the body.
    pub struct BreakerBody<B, X = ByResult> {
        #[pin]
        inner: B,
        // None when the call was judged.
        watch: Option<Watch<X>>,
    }
}

/// Who waits for the end of a body.
pub(crate) struct Watch<X> {
    /// None while the body is polled.
    permit: Option<Permit>,
    ends: Ends,
    errors: X,
}

/// What the end of a body means, where it is no error.
#[derive(Clone, Copy)]
pub(crate) enum Ends {
    Http { head: Verdict },
    Grpc { codes: Codes, head: Option<Verdict> },
}

// === impl BreakerBody ===

impl<B, X> BreakerBody<B, X> {
    pub(crate) fn new(inner: B, watch: Option<Watch<X>>) -> Self {
        Self { inner, watch }
    }

    /// A body that nobody watches, such as that of a response that stands in for the service's.
    ///
    /// # Example
    /// ```
    /// use tower_vitals_breaker::BreakerBody;
    ///
    /// let body: BreakerBody<String> = BreakerBody::unwatched("come back later".to_owned());
    /// assert_eq!(body.get_ref(), "come back later");
    /// ```
    pub fn unwatched(inner: B) -> Self {
        Self::new(inner, None)
    }

    /// The inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

impl<B: Body, X: Classifier<(), B::Error>> Body for BreakerBody<B, X> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        // Here, and not in the body, so that a panic of the inner one drops it: that is `panicked`, whoever catches it.
        let permit = this.watch.as_mut().and_then(|watch| watch.permit.take());
        let polled = this.inner.as_mut().poll_frame(cx);
        if let (Some(permit), Some(watch)) = (permit, this.watch.as_mut()) {
            match watch.verdict(&polled, &permit, &*this.inner) {
                Some(verdict) => {
                    permit.record(verdict);
                    *this.watch = None;
                }
                None => watch.permit = Some(permit),
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

impl<B: Default, X> Default for BreakerBody<B, X> {
    /// An empty body that nobody watches.
    fn default() -> Self {
        Self::unwatched(B::default())
    }
}

impl<B: fmt::Debug, X> fmt::Debug for BreakerBody<B, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerBody")
            .field("inner", &self.inner)
            .field("is_watched", &self.watch.is_some())
            .finish()
    }
}

// === impl Watch ===

type Polled<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

impl<X> Watch<X> {
    pub(crate) fn new(permit: Permit, ends: Ends, errors: X) -> Self {
        let permit = Some(permit);
        Self { permit, ends, errors }
    }

    /// What a poll of the body says, if it decides.
    #[inline]
    fn verdict<B: Body>(&self, polled: &Polled<B>, permit: &Permit, body: &B) -> Option<Verdict>
    where
        X: Classifier<(), B::Error>,
    {
        match polled {
            Poll::Pending => None,
            Poll::Ready(Some(Ok(frame))) => match frame.trailers_ref() {
                Some(trailers) => Some(self.ends.at_trailers(trailers)),
                None if self.ends.has_ended(body) => Some(self.ends.at_end()),
                None => permit.is_probe().then_some(Verdict::SUCCESS),
            },
            Poll::Ready(Some(Err(error))) => Some(self.errors.classify(Err(error))),
            Poll::Ready(None) => Some(self.ends.at_end()),
        }
    }
}

impl<X> Drop for Watch<X> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.cancel();
        }
    }
}

// === impl Ends ===

impl Ends {
    /// Whether nothing comes any more that matters.
    pub(crate) fn has_ended<B: Body>(&self, body: &B) -> bool {
        match self {
            Self::Http { .. } => body.is_end_stream() || body.size_hint().exact() == Some(0),
            Self::Grpc { .. } => body.is_end_stream(),
        }
    }

    /// The verdict of a body that ends without trailers.
    pub(crate) fn at_end(&self) -> Verdict {
        match self {
            Self::Http { head } | Self::Grpc { head: Some(head), .. } => *head,
            Self::Grpc { codes, head: None } => codes.verdict(GrpcCode::Unknown),
        }
    }

    fn at_trailers(&self, trailers: &http::HeaderMap) -> Verdict {
        match self {
            Self::Http { head } => *head,
            Self::Grpc { codes, .. } => codes.of(trailers).unwrap_or_else(|| self.at_end()),
        }
    }
}
