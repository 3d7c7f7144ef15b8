use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use reqwest::{Body, Client, ResponseBuilderExt};
use tower_service::Service;

/// A client of [`reqwest`] as a service of [`http::Request`], so that any Tower layer for HTTP requests can wrap it.
///
/// It hands each request to [`Client::execute`](reqwest::Client::execute), with all that this client was built with: pool, redirects,
/// timeouts, proxies, default headers. It reads and changes nothing on the way.
///
/// # Example
/// ```no_run
/// use http::Request;
/// use tower::ServiceExt;
/// use tower_vitals_http::ReqwestService;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let service = ReqwestService::new(reqwest::Client::new());
/// let request = Request::post("http://127.0.0.1:3000/users").body("pro")?;
/// let response = service.oneshot(request).await?;
/// // Whatever reqwest does with a response, it does with this one, too.
/// let text = reqwest::Response::from(response).text().await?;
/// # Ok(())
/// # }
/// ```
///
/// # What is carried over
/// - Of a request: method, URI, version, headers and body. reqwest resolves `..` in a path, as browsers do, and takes no notice of
///   extensions other than its own. The version is what the client must speak: HTTP/1.1, which a request has unless told otherwise, leaves
///   it to the connection, and HTTP/2 fails on a connection that speaks HTTP/1.1. A proxy sets it back to `Version::HTTP_11`.
/// - Of a response: status, version, headers, extensions, and the body with its trailers and timeouts. The URL that answered, which after a
///   redirect is not that of the request, is kept in the extensions, where `reqwest::Response::from` finds it.
///
/// # Bodies
/// Text, bytes and vectors become a [`reqwest::Body`] by themselves, and can be sent again with a redirect or a retry. Any other body that
/// is `Send` and `Sync`, such as hyper's `Incoming`, comes in by `request.map(reqwest::Body::wrap)`, which keeps its trailers and is sent
/// only once:
///
/// ```
/// use http::Request;
/// use http_body_util::Full;
/// use tower::ServiceExt;
/// use tower_vitals_http::ReqwestService;
///
/// let service = ReqwestService::default();
/// let service = service.map_request(|request: Request<Full<bytes::Bytes>>| request.map(reqwest::Body::wrap));
/// ```
///
/// axum's `Body` is not `Sync`. With reqwest's feature `stream`, `reqwest::Body::wrap_stream(body.into_data_stream())` takes it, without
/// its size and its trailers.
///
/// # Errors
/// Those of reqwest. A URI without scheme or host, as a server sees it, is one (`is_builder`). A status of 4xx or 5xx is none.
///
/// # Clone
/// Clones are cheap and share the pool of connections.
///
/// # Panics
/// [`Default`] panics where [`reqwest::Client::new`] does: when TLS or the resolver cannot be set up. reqwest needs a tokio runtime around
/// every request.
#[derive(Clone, Debug, Default)]
pub struct ReqwestService {
    client: Client,
}

pin_project! {
    /// The future of [`ReqwestService`]. It is reqwest's own, which keeps its state in a box; there is no second one.
    ///
    /// # Cancel safety
    /// Dropped before the head, the request is called off: over HTTP/1.1 its connection closes, over HTTP/2 its stream is reset. The server
    /// may have begun with it. So it is with the response's body, dropped before its end.
    #[must_use = "futures do nothing unless polled"]
    pub struct ReqwestFuture {
        #[pin]
        state: State,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State {
        Sent { #[pin] pending: Pending },
        // None when it was given.
        Refused { error: Option<reqwest::Error> },
    }
}

/// What reqwest calls its future, where nobody can see it.
type Pending = <Client as Service<reqwest::Request>>::Future;

// === impl ReqwestService ===

impl ReqwestService {
    /// A service that sends by this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client.
    #[must_use]
    pub fn get_ref(&self) -> &Client {
        &self.client
    }

    /// The client.
    pub fn get_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The client.
    #[must_use]
    pub fn into_inner(self) -> Client {
        self.client
    }
}

impl From<Client> for ReqwestService {
    fn from(client: Client) -> Self {
        Self::new(client)
    }
}

impl<B: Into<Body>> Service<Request<B>> for ReqwestService {
    type Response = Response<Body>;
    type Error = reqwest::Error;
    type Future = ReqwestFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), reqwest::Error>> {
        self.client.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> ReqwestFuture {
        let state = match reqwest::Request::try_from(request) {
            Ok(request) => State::Sent {
                pending: self.client.call(request),
            },
            Err(error) => State::Refused { error: Some(error) },
        };
        ReqwestFuture { state }
    }
}

// === impl ReqwestFuture ===

impl Future for ReqwestFuture {
    type Output = Result<Response<Body>, reqwest::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Sent { pending } => pending.poll(cx).map_ok(with_url),
            StateProjection::Refused { error } => error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
        }
    }
}

impl fmt::Debug for ReqwestFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestFuture").finish_non_exhaustive()
    }
}

/// reqwest's own conversion forgets the URL. Its type for it is private, but comes in through a builder.
fn with_url(response: reqwest::Response) -> Response<Body> {
    let mut url = Response::builder().url(response.url().clone());
    let mut response = Response::<Body>::from(response);
    if let Some(url) = url.extensions_mut() {
        response.extensions_mut().extend(std::mem::take(url));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn can_go_where_layers_take_services() {
        fn is_send_and_sync<T: Send + Sync + 'static>() {}
        fn is_send<T: Send + 'static>() {}

        is_send_and_sync::<ReqwestService>();
        is_send::<ReqwestFuture>();
    }
}
