//! When a request is complete, decided from its response's head.
//!
//! A body that is wrapped does not see every end. hyper does not ask a known-size body for more once it is done, never asks the body
//! of a response to `HEAD` or of a 304 on HTTP/1, and on HTTP/1 drops a stream with a `Content-Length` as soon as that many bytes were
//! sent. So the head says what to wait for.

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Body;

use crate::{Outcome, method::KnownMethod, streams::StreamKind};

/// What completes a request whose head is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The head did: no body follows that anybody would wait for.
    Head,
    /// So many bytes, or an earlier end of the body.
    Bytes(u64),
    /// The end of the body.
    Body,
}

/// What a head says about the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) ending: Ending,
    /// Whether the duration belongs into the histogram of ordinary requests: not for upgrades and streams, which last as long as
    /// somebody listens.
    pub(crate) timed: bool,
    /// What it means when the body is dropped before its end.
    pub(crate) on_drop: Outcome,
}

/// Judges a head, and what its body says of itself.
#[inline]
pub(crate) fn judge<B: Body>(method: KnownMethod, status: StatusCode, headers: &HeaderMap, body: &B) -> Verdict {
    if let Some(verdict) = judge_without_body(method, status) {
        return verdict;
    }
    match body.size_hint().exact() {
        Some(0) => Verdict::ENDED,
        // hyper reads no body that is at its end, whatever size it still tells, as that of an HTTP/2 answer to `HEAD` does.
        _ if body.is_end_stream() => Verdict::ENDED,
        // A body that knows its size is no stream, and the header says the same.
        Some(bytes) => Verdict {
            ending: Ending::Bytes(bytes),
            timed: true,
            on_drop: Outcome::Aborted,
        },
        None => judge_unsized(headers),
    }
}

/// Judges a head that nobody reads a body after.
#[inline]
fn judge_without_body(method: KnownMethod, status: StatusCode) -> Option<Verdict> {
    let upgraded = match status.as_u16() {
        101 => true,
        100..200 | 204 | 304 => method == KnownMethod::Connect && status == StatusCode::NO_CONTENT,
        200..300 if method == KnownMethod::Connect => true,
        _ if method == KnownMethod::Head => false,
        _ => return None,
    };
    Some(Verdict {
        timed: !upgraded,
        ..Verdict::ENDED
    })
}

/// Judges a head by its fields, for a body that does not know its size.
fn judge_unsized(headers: &HeaderMap) -> Verdict {
    let ending = match content_length(headers) {
        Some(0) => Ending::Head,
        Some(bytes) => Ending::Bytes(bytes),
        None => Ending::Body,
    };
    let mut verdict = Verdict {
        ending,
        timed: true,
        on_drop: Outcome::Aborted,
    };
    if let Some(kind) = stream(headers).filter(|_| ending != Ending::Head) {
        verdict.make_stream(kind);
    }
    verdict
}

impl Verdict {
    /// An ordinary request that is complete.
    const ENDED: Self = Self {
        ending: Ending::Head,
        timed: true,
        on_drop: Outcome::Completed,
    };

    /// The kind of stream that a head announces which was judged so.
    pub(crate) fn stream(&self, headers: &HeaderMap) -> Option<StreamKind> {
        let is_stream = !self.timed && self.ending != Ending::Head;
        if is_stream { stream(headers) } else { None }
    }

    /// It is a stream.
    pub(crate) fn make_stream(&mut self, kind: StreamKind) {
        self.timed = false;
        // Who leaves a stream of events has had what there was. A call is cancelled.
        if kind != StreamKind::Grpc {
            self.on_drop = Outcome::Completed;
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The kind of stream that the content type says. An unknown length alone says nothing.
fn stream(headers: &HeaderMap) -> Option<StreamKind> {
    let content_type = headers.get(CONTENT_TYPE)?.as_bytes();
    let essence = content_type
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    if essence.eq_ignore_ascii_case(b"text/event-stream") {
        Some(StreamKind::EventStream)
    } else if essence.eq_ignore_ascii_case(b"multipart/x-mixed-replace") {
        Some(StreamKind::MixedReplace)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        pin::Pin,
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use http_body::{Frame, SizeHint};

    use super::*;

    /// A body that only says what it would be.
    struct Says {
        exact: Option<u64>,
        ended: bool,
    }

    impl Body for Says {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            unreachable!("a head is judged before its body is read")
        }

        fn is_end_stream(&self) -> bool {
            self.ended
        }

        fn size_hint(&self) -> SizeHint {
            self.exact.map_or_else(SizeHint::new, SizeHint::with_exact)
        }
    }

    fn verdict(method: KnownMethod, status: u16, headers: &[(http::HeaderName, &str)], exact: Option<u64>) -> Verdict {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        let body = Says { exact, ended: false };
        judge(method, StatusCode::from_u16(status).unwrap(), &headers, &body)
    }

    #[test]
    fn heads_that_end_the_request() {
        for (method, status, timed) in [
            (KnownMethod::Head, 200, true),
            (KnownMethod::Get, 204, true),
            (KnownMethod::Get, 304, true),
            (KnownMethod::Get, 101, false),
            (KnownMethod::Connect, 200, false),
            (KnownMethod::Connect, 204, false),
            (KnownMethod::Get, 103, true),
        ] {
            let verdict = verdict(method, status, &[], Some(5));
            assert_eq!((verdict.ending, verdict.timed), (Ending::Head, timed), "{method:?} {status}");
        }
        assert_eq!(verdict(KnownMethod::Connect, 407, &[], None).ending, Ending::Body);
        for (exact, ended) in [(None, true), (Some(0), true), (Some(0), false), (Some(5), true)] {
            let ended = judge(KnownMethod::Get, StatusCode::OK, &HeaderMap::new(), &Says { exact, ended });
            assert_eq!(ended.ending, Ending::Head);
        }
    }

    #[test]
    fn the_size_comes_from_the_body_or_else_from_the_header() {
        let get = KnownMethod::Get;
        assert_eq!(verdict(get, 200, &[(CONTENT_LENGTH, "7")], None).ending, Ending::Bytes(7));
        assert_eq!(verdict(get, 200, &[(CONTENT_LENGTH, "7")], Some(7)).ending, Ending::Bytes(7));
        assert_eq!(verdict(get, 200, &[(CONTENT_LENGTH, "x")], Some(9)).ending, Ending::Bytes(9));
        assert_eq!(verdict(get, 200, &[], None).ending, Ending::Body);
        assert_eq!(verdict(get, 200, &[(CONTENT_LENGTH, "0")], None).ending, Ending::Head);
    }

    #[test]
    fn who_leaves_a_stream_of_events_has_completed_it() {
        let events = verdict(
            KnownMethod::Get,
            200,
            &[(CONTENT_TYPE, "Text/Event-Stream; charset=utf-8")],
            None,
        );
        assert_eq!((events.on_drop, events.timed), (Outcome::Completed, false));
        let parts = verdict(
            KnownMethod::Get,
            200,
            &[(CONTENT_TYPE, "multipart/x-mixed-replace;boundary=x")],
            None,
        );
        assert_eq!((parts.on_drop, parts.timed), (Outcome::Completed, false));
        let ended = verdict(
            KnownMethod::Get,
            200,
            &[(CONTENT_TYPE, "text/event-stream"), (CONTENT_LENGTH, "0")],
            None,
        );
        assert_eq!((ended.ending, ended.timed), (Ending::Head, true));
        let other = verdict(KnownMethod::Get, 200, &[(CONTENT_TYPE, "text/event-streams")], None);
        assert_eq!((other.on_drop, other.timed), (Outcome::Aborted, true));
    }
}
