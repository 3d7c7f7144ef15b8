use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderName, Request, Response, Version, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tower_vitals_core::Vitals;

use super::Handshake;
use crate::{WebSockets, capacity::Caps};

/// Counts the handshakes of WebSockets, by what comes of them, and gives them on so that an extractor can count what follows.
///
/// Other requests go through untouched.
///
/// A handshake is a request with `Sec-WebSocket-Key` or `Sec-WebSocket-Version`, or one that asks to be upgraded to `websocket`. What
/// becomes of it is `websocket_handshakes_total`, by [`HandshakeOutcome`](crate::HandshakeOutcome). Its endpoint is the template of its
/// route, or `_unmatched`.
///
/// # Where it goes
/// Around axum's router, with `Router::layer` after the routes. Layers that can refuse handshakes belong inside of it, so that those are
/// counted too. A second one of the same Vitals does nothing.
#[derive(Clone, Debug)]
pub struct WebSocketLayer {
    sockets: WebSockets,
    caps: Caps,
}

/// The service of [`WebSocketLayer`].
#[derive(Clone, Debug)]
pub struct WebSocketService<S> {
    inner: S,
    sockets: WebSockets,
    caps: Caps,
}

pin_project! {
    /// The future of [`WebSocketService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct WebSocketFuture<F> {
        #[pin]
        inner: F,
        handshake: Option<Handshake>,
    }
}

impl WebSocketLayer {
    /// For this Vitals. It cannot fail, because our names and labels are kept free.
    #[must_use]
    pub fn new(vitals: &Vitals) -> Self {
        Self {
            sockets: WebSockets::of(vitals),
            caps: Caps::default(),
        }
    }

    /// How many connections there may be in all, 100,000 unless said otherwise. Further handshakes are refused, with 503 and as
    /// `over_capacity`. Connections that do not come through `MeteredUpgrade` are not among them.
    #[must_use]
    pub fn max_connections(mut self, most: u64) -> Self {
        self.caps.total = most;
        self
    }

    /// How many connections each endpoint may have, 50,000 unless said otherwise.
    #[must_use]
    pub fn max_connections_per_endpoint(mut self, most: u64) -> Self {
        self.caps.endpoint = most;
        self
    }
}

impl<S> Layer<S> for WebSocketLayer {
    type Service = WebSocketService<S>;

    fn layer(&self, inner: S) -> WebSocketService<S> {
        WebSocketService {
            inner,
            sockets: self.sockets.clone(),
            caps: self.caps,
        }
    }
}

impl<S> WebSocketService<S> {
    /// A handshake that has yet to be counted.
    fn begin<B>(&self, request: &Request<B>) -> Option<Handshake> {
        let counted_outside = || {
            let outer = request.extensions().get::<Handshake>();
            outer.is_some_and(|outer| outer.is_of(&self.sockets))
        };
        let begins = is_handshake(request) && !counted_outside();
        begins.then(|| Handshake::new(&self.sockets, self.caps, request))
    }
}

impl<S, B, R> Service<Request<B>> for WebSocketService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = WebSocketFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let handshake = self.begin(&request);
        if let Some(handshake) = &handshake {
            request.extensions_mut().insert(handshake.clone());
        }
        WebSocketFuture {
            inner: self.inner.call(request),
            handshake,
        }
    }
}

impl<F, R, E> Future for WebSocketFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let output = ready!(this.inner.poll(cx));
        if let Some(handshake) = this.handshake.take() {
            handshake.end_by_response(output.as_ref().ok().map(Response::status));
        }
        Poll::Ready(output)
    }
}

fn is_handshake<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    // Proxies that know nothing of WebSockets let these through, and take the others away.
    let is_meant = headers.contains_key(header::SEC_WEBSOCKET_KEY) || headers.contains_key(header::SEC_WEBSOCKET_VERSION);
    is_meant || (request.version() <= Version::HTTP_11 && says(headers, header::UPGRADE, "websocket"))
}

/// Whether a header field, in all its lines, has this among the things that it lists.
fn says(headers: &HeaderMap, name: HeaderName, what: &str) -> bool {
    let lines = headers.get_all(name);
    let mut listed = lines.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    listed.any(|one| one.trim_ascii().eq_ignore_ascii_case(what.as_bytes()))
}
