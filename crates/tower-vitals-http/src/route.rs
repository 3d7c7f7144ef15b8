use std::{borrow::Cow, fmt};

use http::{Extensions, HeaderMap, Method, Request, Uri};

/// The route of requests that matched none.
pub const UNMATCHED: &str = "_unmatched";

/// The parts of a request that a route may be told from, for [`route_with`](crate::MetricsLayerBuilder::route_with).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The URI.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// What other middleware left with the request.
    pub extensions: &'a Extensions,
}

/// Tells the route of a request.
pub(crate) struct RouteWith {
    tell: Box<Tell>,
}

type Tell = dyn for<'a> Fn(RequestHead<'a>) -> Option<Cow<'a, str>> + Send + Sync;

impl<'a> RequestHead<'a> {
    #[inline]
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

impl RouteWith {
    pub(crate) fn new(tell: impl for<'a> Fn(RequestHead<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static) -> Self {
        Self { tell: Box::new(tell) }
    }

    pub(crate) fn route<'a>(&self, head: RequestHead<'a>) -> Option<Cow<'a, str>> {
        (self.tell)(head)
    }
}

impl fmt::Debug for RouteWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteWith")
    }
}

/// The template that axum's router matched.
#[cfg(feature = "axum")]
#[inline]
pub(crate) fn matched(extensions: &Extensions) -> Option<&str> {
    extensions
        .get::<axum::extract::MatchedPath>()
        .map(axum::extract::MatchedPath::as_str)
}

/// Without a router that we know there is no template.
#[cfg(not(feature = "axum"))]
pub(crate) fn matched(_: &Extensions) -> Option<&str> {
    None
}
