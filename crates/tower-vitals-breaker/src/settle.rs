//! When and by whom a call is judged: at its head, or at the end of its response's body.

use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;

use crate::{
    BreakerBody, Classifier, GrpcClassifier, HttpClassifier, Permit, Verdict,
    body::{Ends, Watch},
    verdict::Kind,
};

/// Judges the result of a call that was let through, now or later, and gives the response that the caller gets.
///
/// The crate's own kinds are all there are: [`AtHead`] and [`AtBodyEnd`].
pub trait Settle<T, E>: sealed::Sealed {
    /// What the caller gets: the response, or one with a body that is watched.
    type Response;

    /// Takes the result and the permit of its call.
    #[doc(hidden)]
    fn settle(&self, result: Result<T, E>, permit: Permit) -> Result<Self::Response, E>;

    /// Gives a response that says nothing about what was called, since another service answered.
    #[doc(hidden)]
    fn stand_in(&self, response: T) -> Self::Response;
}

/// Judges by the result alone, as soon as it is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtHead<C> {
    pub(crate) classifier: C,
}

/// Judges a response of HTTP or gRPC when its body ends, so that one that fails after its head is a failure.
///
/// The classifier is an [`HttpClassifier`] or a [`GrpcClassifier`]. The call counts once, at the first of these:
/// - the head, where that says all: errors, failures, what is ignored, empty bodies, 101;
/// - the end of the body: the body's error as the classifier's judge of errors says, otherwise the head's verdict, or for gRPC the status
///   in the trailers. gRPC that ends without a status is `UNKNOWN`. A body of known length ends with its last byte;
/// - the drop of the body before its end, which is the caller's doing and no failure: the call is `cancelled`. So is a stream that is
///   never read to its end.
///
/// A panic in the body counts as `panicked`.
///
/// # Slow calls
/// What a call takes is measured to the head, as the rest depends on how fast the caller reads.
///
/// # Probes
/// A probe does not wait for the end of a body that may take hours: the first data decides for it, and so does the head of an event
/// stream (`text/event-stream`, `multipart/x-mixed-replace`). Failures after that are not counted for this call. A probe whose caller
/// does not read, and a gRPC stream that is silent after its head, are left to the [lease](crate::CircuitBreakerBuilder::lease).
///
/// # Long streams
/// The success of a stream that the breaker let in while closed counts when it ends. If the breaker opened meanwhile, it is `stale`.
///
/// # Cost
/// No allocation, and no reading of the clock but at the head and the end.
///
/// # Example
/// ```
/// use tower_vitals_breaker::{AtBodyEnd, GrpcClassifier, HttpClassifier};
///
/// let http = AtBodyEnd::new(HttpClassifier::new());
/// let grpc = AtBodyEnd::new(GrpcClassifier::new());
/// # let _ = (http, grpc);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AtBodyEnd<C> {
    classifier: C,
}

impl<C> AtHead<C> {
    /// By this classifier.
    #[must_use]
    pub fn new(classifier: C) -> Self {
        Self { classifier }
    }
}

impl<C> AtBodyEnd<C> {
    /// By this classifier.
    #[must_use]
    pub fn new(classifier: C) -> Self {
        Self { classifier }
    }
}

impl<T, E, C: Classifier<T, E>> Settle<T, E> for AtHead<C> {
    type Response = T;

    #[inline]
    fn settle(&self, result: Result<T, E>, permit: Permit) -> Result<T, E> {
        permit.record(self.classifier.classify(result.as_ref()));
        result
    }

    #[inline]
    fn stand_in(&self, response: T) -> T {
        response
    }
}

impl<B, E, X> Settle<Response<B>, E> for AtBodyEnd<HttpClassifier<X>>
where
    B: Body,
    X: Classifier<(), E> + Classifier<(), B::Error> + Clone,
{
    type Response = Response<BreakerBody<B, X>>;

    fn settle(&self, result: Result<Response<B>, E>, permit: Permit) -> Result<Self::Response, E> {
        let response = live(result, permit, &self.classifier.errors)?;
        Ok(response.watch(|head, body, permit| {
            let verdict = self.classifier.head(head.status, head.headers);
            let ends = Ends::Http { head: verdict };
            let is_decided = is_final(verdict)
                || head.status == StatusCode::SWITCHING_PROTOCOLS
                || ends.has_ended(body)
                || permit.is_probe() && is_event_stream(head.headers);
            if is_decided {
                Next::Record(verdict)
            } else {
                Next::Watch(ends, self.classifier.errors.clone())
            }
        }))
    }

    fn stand_in(&self, response: Response<B>) -> Self::Response {
        response.map(BreakerBody::unwatched)
    }
}

impl<B, E, X> Settle<Response<B>, E> for AtBodyEnd<GrpcClassifier<X>>
where
    B: Body,
    X: Classifier<(), E> + Classifier<(), B::Error> + Clone,
{
    type Response = Response<BreakerBody<B, X>>;

    fn settle(&self, result: Result<Response<B>, E>, permit: Permit) -> Result<Self::Response, E> {
        let (codes, errors) = self.classifier.ends();
        let response = live(result, permit, errors)?;
        Ok(response.watch(|head, body, _| {
            let verdict = self.classifier.head(head.status, head.headers);
            let ends = Ends::Grpc { codes, head: verdict };
            match verdict {
                Some(verdict) if is_final(verdict) || head.status != StatusCode::OK => Next::Record(verdict),
                _ if ends.has_ended(body) => Next::Record(ends.at_end()),
                _ => Next::Watch(ends, errors.clone()),
            }
        }))
    }

    fn stand_in(&self, response: Response<B>) -> Self::Response {
        response.map(BreakerBody::unwatched)
    }
}

/// A response whose call is not judged yet.
struct Live<B> {
    response: Response<B>,
    permit: Permit,
}

#[derive(Clone, Copy)]
struct Head<'a> {
    status: StatusCode,
    headers: &'a HeaderMap,
}

/// What happens with a permit at the head.
enum Next<X> {
    Record(Verdict),
    Watch(Ends, X),
}

/// Records the call if it failed without a response.
fn live<B, E, X: Classifier<(), E>>(result: Result<Response<B>, E>, permit: Permit, errors: &X) -> Result<Live<B>, E> {
    match result {
        Ok(response) => Ok(Live { response, permit }),
        Err(error) => {
            permit.record(errors.classify(Err(&error)));
            Err(error)
        }
    }
}

impl<B: Body> Live<B> {
    fn watch<X>(self, next: impl FnOnce(Head<'_>, &B, &Permit) -> Next<X>) -> Response<BreakerBody<B, X>> {
        let Self { response, mut permit } = self;
        let head = Head {
            status: response.status(),
            headers: response.headers(),
        };
        let watch = match next(head, response.body(), &permit) {
            Next::Record(verdict) => {
                permit.record(verdict);
                None
            }
            Next::Watch(ends, errors) => {
                permit.mark_head();
                Some(Watch::new(permit, ends, errors))
            }
        };
        response.map(|body| BreakerBody::new(body, watch))
    }
}

/// Whether nothing that comes after the head changes this verdict.
fn is_final(verdict: Verdict) -> bool {
    verdict.kind() != Kind::Success
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let is = |stream: &str| {
        let begins = content_type.get(..stream.len());
        begins.is_some_and(|begins| begins.eq_ignore_ascii_case(stream.as_bytes()))
    };
    is("text/event-stream") || is("multipart/x-mixed-replace")
}

mod sealed {
    pub trait Sealed {}

    impl<C> Sealed for super::AtHead<C> {}
    impl<C> Sealed for super::AtBodyEnd<C> {}
}
