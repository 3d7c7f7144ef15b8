//! Where the layer stands among others, and around services that are not axum's.

mod http_common;

use std::future::{Ready, pending, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body as AxumBody;
use axum::routing::get;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use http_common::app::{Built, Gates};
use http_common::{BOTH, LIMIT, Seen, undated};
use tests::body::{Gate, ScriptedBody};
use tests::client::get as request;
use tests::server::Server;
use tests::until::until_eq;
use tests::{BoxError, Result};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use tower_vitals::{MetricsLayer, Vitals};

async fn panicking() -> &'static str {
    panic!("on purpose")
}

/// Asks over either version, and compares with what counts nothing.
async fn asked(bare: Router, layered: Router, status: StatusCode) -> Result<()> {
    let bare = Server::start(bare).await?;
    let layered = Server::start(layered).await?;
    for version in BOTH {
        let without = version.ask_twice(bare.addr(), "GET", "/work", "").await?;
        let with = version.ask_twice(layered.addr(), "GET", "/work", "").await?;
        assert_eq!(with.matches(&format!("{} ", status.as_u16())).count(), 2, "{with}");
        assert_eq!(with, without);
    }
    Ok(())
}

#[tokio::test]
async fn catch_panic_inside_completes() -> Result<()> {
    let vitals = Vitals::new();
    let bare = Router::new().route("/work", get(panicking)).layer(CatchPanicLayer::new());
    let layered = bare.clone().layer(MetricsLayer::new(&vitals));
    asked(bare, layered, StatusCode::INTERNAL_SERVER_ERROR).await?;
    Seen::ended(&[("GET /work 500 none completed", 4)], &[("GET /work 5xx", 4)])
        .settles(&vitals)
        .await
}

#[tokio::test]
async fn catch_panic_outside_sees_the_panic_after_us() -> Result<()> {
    let vitals = Vitals::new();
    let app = || Router::new().route("/work", get(panicking));
    let bare = app().layer(CatchPanicLayer::new());
    let layered = app().layer(MetricsLayer::new(&vitals)).layer(CatchPanicLayer::new());
    asked(bare, layered, StatusCode::INTERNAL_SERVER_ERROR).await?;
    Seen::ended(&[("GET /work - none panicked", 4)], &[("GET /work -", 4)])
        .settles(&vitals)
        .await
}

fn timeout() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_millis(10))
}

#[tokio::test]
async fn a_timeout_inside_completes() -> Result<()> {
    let vitals = Vitals::new();
    let bare = Router::new().route("/work", get(pending::<()>)).layer(timeout());
    let layered = bare.clone().layer(MetricsLayer::new(&vitals));
    asked(bare, layered, StatusCode::REQUEST_TIMEOUT).await?;
    Seen::ended(&[("GET /work 408 none completed", 4)], &[("GET /work 4xx", 4)])
        .settles(&vitals)
        .await
}

#[tokio::test]
async fn a_timeout_outside_aborts() -> Result<()> {
    let vitals = Vitals::new();
    let app = || Router::new().route("/work", get(pending::<()>));
    let layered = app().layer(MetricsLayer::new(&vitals)).layer(timeout());
    asked(app().layer(timeout()), layered, StatusCode::REQUEST_TIMEOUT).await?;
    Seen::ended(&[("GET /work - none aborted", 4)], &[("GET /work -", 4)])
        .settles(&vitals)
        .await
}

fn refuse<B>(_: Request<B>) -> Ready<Result<Response<AxumBody>>> {
    ready(Err("refused".into()))
}

#[tokio::test]
async fn a_service_that_fails() -> Result<()> {
    let vitals = Vitals::new();
    let layer = MetricsLayer::new(&vitals);
    let bare = Server::start(service_fn(refuse)).await?;
    let server = Server::start(layer.layer(service_fn(refuse))).await?;
    for version in BOTH {
        let without = version.ask_twice(bare.addr(), "GET", "/", "").await?;
        assert_eq!(version.ask_twice(server.addr(), "GET", "/", "").await?, without);
    }
    let error = layer.layer(service_fn(refuse)).oneshot(request("/")).await;
    assert_eq!(error.err().ok_or("it fails")?.to_string(), "refused");
    // An error ends a connection of HTTP/1.1, and a stream of HTTP/2.
    Seen::ended(&[("GET _unmatched - none failed", 4)], &[("GET _unmatched -", 4)])
        .settles(&vitals)
        .await
}

fn panic_in_call<B>(_: Request<B>) -> Ready<Result<Response<AxumBody>>> {
    panic!("on purpose")
}

#[tokio::test]
async fn a_service_that_panics_when_it_is_called() -> Result<()> {
    let vitals = Vitals::new();
    let bare = Server::start(service_fn(panic_in_call)).await?;
    let server = Server::start(MetricsLayer::new(&vitals).layer(service_fn(panic_in_call))).await?;
    for version in BOTH {
        let without = version.ask_twice(bare.addr(), "GET", "/", "").await?;
        assert_eq!(version.ask_twice(server.addr(), "GET", "/", "").await?, without);
    }
    // A panic ends a connection of HTTP/1.1, and a stream of HTTP/2.
    Seen::ended(&[("GET _unmatched - none panicked", 3)], &[("GET _unmatched -", 3)])
        .settles(&vitals)
        .await
}

#[tokio::test]
async fn a_hook_that_panics() -> Result<()> {
    let vitals = Vitals::new();
    let hook = MetricsLayer::builder(&vitals).route_with(|_| panic!("on purpose"));
    let service = hook.build()?.layer(service_fn(refuse));
    assert!(tokio::spawn(service.oneshot(request("/"))).await.is_err());
    let panicked = Seen::ended(&[("GET _unmatched - none panicked", 1)], &[("GET _unmatched -", 1)]);
    assert_eq!(Seen::of(&vitals), panicked);
    Ok(())
}

#[tokio::test]
async fn a_future_that_is_dropped_before_it_is_polled() -> Result<()> {
    let vitals = Vitals::new();
    let mut service = MetricsLayer::new(&vitals).layer(service_fn(refuse));
    let future = service.ready().await?.call(request("/"));
    assert_eq!(Seen::of(&vitals), Seen::one_in_flight("GET"));
    drop(future);
    let aborted = Seen::ended(&[("GET _unmatched - none aborted", 1)], &[("GET _unmatched -", 1)]);
    assert_eq!(Seen::of(&vitals), aborted);
    Ok(())
}

#[tokio::test]
async fn a_panic_leaves_other_requests_alone() -> Result<()> {
    let (vitals, gates) = (Vitals::new(), Gates::default());
    gates.head.open();
    let server = Built::Axum.serve(Some(&vitals), &gates).await?;
    let mut conn = tests::raw::RawConn::connect(server.addr()).await?;
    conn.write(b"GET /stream HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await?;
    conn.read_until(b"first\r\n").await?;
    for version in BOTH {
        version.ask_twice(server.addr(), "GET", "/panic", "").await?;
    }
    let in_flight = [("GET".to_owned(), 1)].into();
    until_eq(LIMIT, in_flight, || Seen::of(&vitals).in_flight).await?;
    gates.body.open();
    assert!(undated(&conn.read_all(LIMIT).await?).ends_with("0\r\n\r\n"));
    let requests = [("GET /panic - none panicked", 3), ("GET /stream 200 none completed", 1)];
    let durations = [("GET /panic -", 3), ("GET /stream 2xx", 1)];
    Seen::ended(&requests, &durations).settles(&vitals).await
}

/// All that a body shows of itself, frame by frame to its end.
async fn shown<B>(mut body: B) -> Vec<String>
where
    B: Body<Data = bytes::Bytes, Error = BoxError> + Unpin,
{
    let mut seen = Vec::new();
    loop {
        seen.push(format!("{:?}, ended {}", body.size_hint(), body.is_end_stream()));
        match body.frame().await {
            Some(frame) => seen.push(format!("{frame:?}")),
            None => return seen,
        }
    }
}

#[tokio::test]
async fn a_body_shows_what_it_showed() -> Result<()> {
    let open = Gate::new();
    open.open();
    let two = || ScriptedBody::new().data("abc").wait(&open).data("de");
    let trailers = || HeaderMap::from_iter([("x-sum".parse().expect("a name"), "7".parse().expect("a value"))]);
    let scripts: [&dyn Fn() -> ScriptedBody; 8] = [
        &ScriptedBody::new,
        &|| ScriptedBody::new().sized(),
        &two,
        &|| two().sized(),
        &|| two().hides_end(),
        &|| two().sized().hides_end(),
        &|| two().trailers(trailers()),
        &|| two().error("torn"),
    ];
    for (number, script) in scripts.into_iter().enumerate() {
        let vitals = Vitals::new();
        let (bare, wrapped) = (script(), script());
        let (bare_probe, probe) = (bare.probe(), wrapped.probe());
        let body = std::sync::Mutex::new(Some(wrapped));
        let service = service_fn(move |_| {
            let body = body.lock().expect("nobody panicked").take();
            ready(Ok::<_, BoxError>(Response::new(body.expect("it is called once"))))
        });
        let response = MetricsLayer::new(&vitals).layer(service).oneshot(request("/")).await?;
        assert_eq!(shown(response.into_body()).await, shown(bare).await, "script {number}");
        assert_eq!((probe.polls(), probe.ends()), (bare_probe.polls(), bare_probe.ends()));
        let outcome = if number == 7 { "failed" } else { "completed" };
        let requests = format!("GET _unmatched 200 none {outcome}");
        assert_eq!(
            Seen::of(&vitals),
            Seen::ended(&[(&requests, 1)], &[("GET _unmatched 2xx", 1)])
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_gives_less_than_it_promised_has_failed() -> Result<()> {
    let vitals = Vitals::new();
    let short = |_| async {
        let body = ScriptedBody::new().data("abcde");
        Ok::<_, BoxError>(Response::builder().header("content-length", "10").body(body)?)
    };
    let response = MetricsLayer::new(&vitals)
        .layer(service_fn(short))
        .oneshot(request("/"))
        .await?;
    assert_eq!(response.into_body().collect().await?.to_bytes(), "abcde");
    Seen::ended(&[("GET _unmatched 200 none failed", 1)], &[("GET _unmatched 2xx", 1)])
        .settles(&vitals)
        .await
}

/// A body that cannot even say how large it is.
struct Unspeakable;

impl Body for Unspeakable {
    type Data = bytes::Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, BoxError>>> {
        std::task::Poll::Ready(None)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        panic!("on purpose")
    }
}

#[tokio::test]
async fn a_body_that_panics_before_it_is_read() -> Result<()> {
    let vitals = Vitals::new();
    let unspeakable = |_| async { Ok::<_, BoxError>(Response::new(Unspeakable)) };
    let service = MetricsLayer::new(&vitals).layer(service_fn(unspeakable));
    assert!(tokio::spawn(service.oneshot(request("/"))).await.is_err());
    Seen::ended(&[("GET _unmatched - none panicked", 1)], &[("GET _unmatched -", 1)])
        .settles(&vitals)
        .await
}

/// A body that gives data, and then cannot say whether that was all.
struct Undecided(bool);

impl Body for Undecided {
    type Data = bytes::Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, BoxError>>> {
        self.0 = true;
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data("first".into()))))
    }

    fn is_end_stream(&self) -> bool {
        assert!(!self.0, "on purpose");
        false
    }
}

#[tokio::test]
async fn a_body_that_panics_when_it_is_asked_for_its_end() -> Result<()> {
    let vitals = Vitals::new();
    let undecided = |_| async { Ok::<_, BoxError>(Response::new(Undecided(false))) };
    let service = MetricsLayer::new(&vitals).layer(service_fn(undecided));
    let response = service.oneshot(request("/")).await?;
    assert!(tokio::spawn(response.into_body().collect()).await.is_err());
    let panicked = Seen::ended(&[("GET _unmatched 200 none panicked", 1)], &[("GET _unmatched 2xx", 1)]);
    assert_eq!(Seen::of(&vitals), panicked);
    Ok(())
}
