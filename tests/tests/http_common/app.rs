//! An application with a path for each way in which a response can end, as an
//! axum router and as a plain Tower service.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use tests::Result;
use tests::body::{Gate, ScriptedBody};
use tests::server::Server;
use tower::{Layer, Service, service_fn};
use tower_vitals::{MetricsLayer, Vitals};

/// How the application is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Built {
    /// A router of axum.
    Axum,
    /// A Tower service straight under hyper, with routes from `route_with`.
    Plain,
}

/// Hold the application's requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gates {
    /// Every request, before its head.
    pub(crate) head: Gate,
    /// Bodies of unknown length, after their first frame.
    pub(crate) body: Gate,
}

const PATHS: [&str; 17] = [
    "/known",
    "/empty",
    "/no-content",
    "/no-content/but-a-body",
    "/ended-of-no-known-size",
    "/sized-and-hides-its-end",
    "/ends-with-its-last-frame",
    "/not-modified",
    "/stream",
    "/stream-of-ten",
    "/stream-of-ten/torn",
    "/trailers",
    "/torn",
    "/events",
    "/panic",
    "/panic/body",
    "/never",
];

impl Gates {
    pub(crate) fn opened() -> Self {
        let gates = Self::default();
        gates.head.open();
        gates.body.open();
        gates
    }
}

impl Built {
    /// Serves the application, counted where there is a Vitals.
    pub(crate) async fn serve(self, vitals: Option<&Vitals>, gates: &Gates) -> Result<Server> {
        match (self, vitals) {
            (Self::Axum, None) => Server::start(router(gates)).await,
            (Self::Axum, Some(vitals)) => Server::start(router(gates).layer(MetricsLayer::new(vitals))).await,
            (Self::Plain, None) => Server::start(plain(gates)).await,
            (Self::Plain, Some(vitals)) => {
                let route = MetricsLayer::builder(vitals).route_with(|head| Some(head.uri.path().to_owned().into()));
                Server::start(route.build()?.layer(plain(gates))).await
            }
        }
    }
}

fn router(gates: &Gates) -> Router {
    PATHS.into_iter().fold(Router::new(), |router, path| {
        let gates = gates.clone();
        router.route(path, get(move |uri: Uri| answer(uri, gates)))
    })
}

fn plain(
    gates: &Gates,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + use<> {
    let gates = gates.clone();
    service_fn(move |request: Request<Incoming>| {
        let answer = answer(request.uri().clone(), gates.clone());
        async move { Ok(answer.await) }
    })
}

async fn answer(uri: Uri, gates: Gates) -> Response<Body> {
    gates.head.opened().await;
    let stream = || ScriptedBody::new().data("first").wait(&gates.body).hides_end();
    let ten = HeaderValue::from_static("10");
    match uri.path() {
        "/known" => Response::new("hello".into()),
        "/empty" => Response::new(Body::empty()),
        "/no-content" => with_status(StatusCode::NO_CONTENT, Body::empty()),
        "/no-content/but-a-body" => with_status(StatusCode::NO_CONTENT, "hello".into()),
        "/ended-of-no-known-size" => scripted(ScriptedBody::new()),
        "/sized-and-hides-its-end" => scripted(stream().data("second").sized()),
        "/ends-with-its-last-frame" => scripted(ScriptedBody::new().data("first").data("second")),
        "/not-modified" => with_status(StatusCode::NOT_MODIFIED, "hello".into()),
        "/stream" => scripted(stream().data("second")),
        "/stream-of-ten" => with_header("content-length", ten, stream().data("later")),
        "/stream-of-ten/torn" => with_header("content-length", ten, stream().error("torn")),
        "/trailers" => {
            let sum = HeaderValue::from_static("7");
            let trailers = HeaderMap::from_iter([("x-sum".parse().expect("it is a name"), sum)]);
            let announced = HeaderValue::from_static("x-sum");
            with_header("trailer", announced, stream().trailers(trailers))
        }
        "/torn" => scripted(stream().error("torn")),
        "/events" => {
            let events = HeaderValue::from_static("text/event-stream");
            with_header("content-type", events, stream().data("second"))
        }
        "/panic" => panic!("on purpose"),
        "/panic/body" => scripted(stream().panic("on purpose")),
        "/never" => std::future::pending().await,
        _ => with_status(StatusCode::NOT_FOUND, Body::empty()),
    }
}

fn scripted(body: ScriptedBody) -> Response<Body> {
    Response::new(Body::new(body))
}

fn with_status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn with_header(name: &'static str, value: HeaderValue, body: ScriptedBody) -> Response<Body> {
    let mut response = scripted(body);
    response.headers_mut().insert(name, value);
    response
}
