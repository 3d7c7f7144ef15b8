use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Buf;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{grpc, slot};

/// Counts the bytes of the requests' bodies for the layer around it, as the service reads them.
///
/// It is a layer of its own because it changes the type of the body, which not every service takes; axum's routes and tonic's services
/// do. Without a [`MetricsLayer`](crate::MetricsLayer) outside of it that was told [`body_bytes`](crate::MetricsLayerBuilder::body_bytes)
/// nothing is counted; around a client, the same holds for [`ClientMetricsLayer`](crate::ClientMetricsLayer).
///
/// Of gRPC it counts the messages, too, so that a call whose caller streams is known as a stream.
///
/// # Example
/// ```
/// use tower::ServiceBuilder;
/// use tower_vitals_core::Vitals;
/// use tower_vitals_http::{MetricsLayer, RequestBodyLayer};
///
/// let vitals = Vitals::new();
/// let layers = ServiceBuilder::new()
///     .layer(MetricsLayer::builder(&vitals).body_bytes().build()?)
///     .layer(RequestBodyLayer::new());
/// let app = axum::Router::<()>::new().route("/files", axum::routing::post(|body: String| async { body })).layer(layers);
/// # Ok::<(), tower_vitals_core::RegisterError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestBodyLayer {
    _private: (),
}

/// The service that [`RequestBodyLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct RequestBodyBytes<S> {
    inner: S,
}

/// What was seen of a request's body.
#[derive(Debug, Default)]
pub(crate) struct Received {
    bytes: AtomicU64,
    messages: AtomicU32,
}

pin_project! {
    /// The body of a request whose bytes are counted. Frames, trailers, errors, size and end are those of the inner body.
    #[derive(Debug)]
    pub struct RequestBody<B> {
        #[pin]
        inner: B,
        received: Option<Arc<Received>>,
        messages: Option<grpc::Messages>,
    }
}

// === impl RequestBodyLayer ===

impl RequestBodyLayer {
    /// The layer.
    #[must_use]
    pub const fn new() -> Self {
        Self { _private: () }
    }
}

impl<S> Layer<S> for RequestBodyLayer {
    type Service = RequestBodyBytes<S>;

    fn layer(&self, inner: S) -> RequestBodyBytes<S> {
        RequestBodyBytes { inner }
    }
}

// === impl RequestBodyBytes ===

impl<S> RequestBodyBytes<S> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B> Service<Request<B>> for RequestBodyBytes<S>
where
    S: Service<Request<RequestBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let received = Arc::default();
        let received = slot::leave_received(&received).then_some(received);
        let is_grpc = received.is_some() && grpc::is_grpc(request.method(), request.headers());
        self.inner.call(request.map(|inner| RequestBody {
            inner,
            received,
            messages: is_grpc.then(grpc::Messages::default),
        }))
    }
}

// === impl Received ===

impl Received {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn messages(&self) -> u32 {
        self.messages.load(Ordering::Relaxed)
    }
}

// === impl RequestBody ===

impl<B> RequestBody<B> {
    /// The inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = this.inner.poll_frame(cx);
        let frame = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.data_ref(),
            _ => None,
        };
        if let (Some(received), Some(data)) = (this.received, frame) {
            received.bytes.fetch_add(data.remaining() as u64, Ordering::Relaxed);
            if let Some(messages) = this.messages {
                messages.see(data);
                received.messages.store(messages.count(), Ordering::Relaxed);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Default> Default for RequestBody<B> {
    /// An empty body that counts nothing.
    fn default() -> Self {
        Self {
            inner: B::default(),
            received: None,
            messages: None,
        }
    }
}
