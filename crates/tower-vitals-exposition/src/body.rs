use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower_vitals_core::encode::Encoder;

/// The body of a scrape's response.
///
/// Each chunk is made when it is asked for, so a scrape of any size needs one chunk of memory, goes as fast as its reader, and stops
/// when it is dropped.
pub struct ScrapeBody {
    /// The chunk that was made first: a scrape that fits into it has a `Content-Length`.
    first: Option<Bytes>,
    rest: Option<Encoder>,
    /// For `HEAD`: there is a body, but nobody knows its size and nobody reads it.
    unread: bool,
}

impl ScrapeBody {
    pub(crate) fn new(mut encoder: Encoder) -> Self {
        let first = encoder.next();
        Self {
            first,
            rest: (!encoder.is_done()).then_some(encoder),
            unread: false,
        }
    }

    /// The body that a `HEAD` does not get. It has no size, because zero would be a false `Content-Length`.
    pub(crate) fn unread() -> Self {
        Self {
            first: None,
            rest: None,
            unread: true,
        }
    }

    pub(crate) fn text(text: &'static str) -> Self {
        Self {
            first: Some(Bytes::from_static(text.as_bytes())),
            rest: None,
            unread: false,
        }
    }
}

impl Body for ScrapeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.unread = false;
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let chunk = self.rest.as_mut().and_then(Iterator::next);
        if chunk.is_none() || self.rest.as_ref().is_some_and(Encoder::is_done) {
            self.rest = None;
        }
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_none() && !self.unread
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if self.rest.is_none() && !self.unread {
            return SizeHint::with_exact(first);
        }
        let mut hint = SizeHint::new();
        hint.set_lower(first);
        hint
    }
}

impl fmt::Debug for ScrapeBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScrapeBody")
            .field("ended", &self.is_end_stream())
            .finish_non_exhaustive()
    }
}
