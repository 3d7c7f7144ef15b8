//! Labels of an application's own, and where their values come from.

use std::{borrow::Cow, fmt};

use http::{Extensions, HeaderMap, Response, StatusCode};

use crate::RequestHead;

/// The parts of a response that a label's value may be told from.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ResponseHead<'a> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// What the service left with the response.
    pub extensions: &'a Extensions,
}

/// A label of an application's own.
#[derive(Debug)]
pub(crate) struct OwnLabel {
    pub(crate) name: String,
    /// How many values it may take; further ones are `_other`.
    pub(crate) budget: usize,
    pub(crate) source: Source,
}

/// Where a label's value comes from.
pub(crate) enum Source {
    /// The head of the request, before the service has it.
    Request(Box<OfRequest>),
    /// The head of the response.
    Response(Box<OfResponse>),
    /// What the application said while the request was the current one.
    Slot,
}

type OfRequest = dyn for<'a> Fn(RequestHead<'a>) -> Option<Cow<'a, str>> + Send + Sync;
type OfResponse = dyn for<'a> Fn(ResponseHead<'a>) -> Option<Cow<'a, str>> + Send + Sync;

// === impl ResponseHead ===

impl<'a> ResponseHead<'a> {
    #[inline]
    pub(crate) fn of<B>(response: &'a Response<B>) -> Self {
        Self {
            status: response.status(),
            headers: response.headers(),
            extensions: response.extensions(),
        }
    }
}

// === impl OwnLabel ===

impl OwnLabel {
    pub(crate) fn of_request<F>(name: impl Into<String>, budget: usize, tell: F) -> Self
    where
        F: for<'a> Fn(RequestHead<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    {
        Self::new(name.into(), budget, Source::Request(Box::new(tell)))
    }

    pub(crate) fn of_response<F>(name: impl Into<String>, budget: usize, tell: F) -> Self
    where
        F: for<'a> Fn(ResponseHead<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    {
        Self::new(name.into(), budget, Source::Response(Box::new(tell)))
    }

    pub(crate) fn of_slot(name: impl Into<String>, budget: usize) -> Self {
        Self::new(name.into(), budget, Source::Slot)
    }

    /// The value, if a request's head is what tells it.
    pub(crate) fn in_request<'a>(&self, head: RequestHead<'a>) -> Option<Cow<'a, str>> {
        match &self.source {
            Source::Request(tell) => tell(head),
            Source::Response(_) | Source::Slot => None,
        }
    }

    /// The value, if a response's head is what tells it.
    pub(crate) fn in_response<'a>(&self, head: ResponseHead<'a>) -> Option<Cow<'a, str>> {
        match &self.source {
            Source::Response(tell) => tell(head),
            Source::Request(_) | Source::Slot => None,
        }
    }

    fn new(name: String, budget: usize, source: Source) -> Self {
        Self { name, budget, source }
    }
}

// === impl Source ===

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request(_) => "Request",
            Self::Response(_) => "Response",
            Self::Slot => "Slot",
        })
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[derive(Clone)]
    struct Plan(String);

    #[test]
    fn a_value_comes_from_its_source_only() {
        let request = Request::builder().header("x-tenant", "acme").body(()).unwrap();
        let response = Response::builder().status(203).header("x-cache", "hit").body(()).unwrap();
        let tenant = OwnLabel::of_request("tenant", 100, |head| {
            head.headers.get("x-tenant")?.to_str().ok().map(Cow::from)
        });
        let cache = OwnLabel::of_response("cache", 3, |head| {
            let cache = head.headers.get("x-cache")?.to_str().ok()?;
            Some(format!("{} {cache}", head.status.as_u16()).into())
        });
        let plan = OwnLabel::of_slot("plan", 10);

        let in_request = |label: &OwnLabel| label.in_request(RequestHead::of(&request)).map(Cow::into_owned);
        let in_response = |label: &OwnLabel| label.in_response(ResponseHead::of(&response)).map(Cow::into_owned);
        let told = |label: &OwnLabel| (in_request(label), in_response(label));
        assert_eq!(told(&tenant), (Some("acme".to_owned()), None));
        assert_eq!(told(&cache), (None, Some("203 hit".to_owned())));
        assert_eq!(told(&plan), (None, None));
    }

    #[test]
    fn a_value_may_be_borrowed_from_what_it_is_told_from() {
        let mut response = Response::new(());
        let label = OwnLabel::of_response("plan", 2, |head| Some(head.extensions.get::<Plan>()?.0.as_str().into()));
        assert_eq!(label.in_response(ResponseHead::of(&response)), None);
        response.extensions_mut().insert(Plan("gold".into()));
        let value = label.in_response(ResponseHead::of(&response));
        assert!(matches!(value, Some(Cow::Borrowed("gold"))), "{value:?}");
    }

    #[test]
    fn debug_shows_the_label_without_its_closure() {
        let label = OwnLabel::of_request("tenant", 100, |_| None);
        assert_eq!(
            format!("{label:?}"),
            "OwnLabel { name: \"tenant\", budget: 100, source: Request }"
        );
        let [response, slot] = [OwnLabel::of_response("a", 1, |_| None), OwnLabel::of_slot("a", 1)];
        assert_eq!(format!("{:?} {:?}", response.source, slot.source), "Response Slot");
    }
}
