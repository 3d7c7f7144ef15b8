//! How long heads and streams take, and how many bytes bodies really have.

mod http_common;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use http_common::{BOTH, LIMIT, Numbers, Seen, family, owned};
use tests::Result;
use tests::body::{Gate, ScriptedBody};
use tests::client::get as ask;
use tests::server::Server;
use tests::until::until_eq;
use tower::{Layer, ServiceExt};
use tower_vitals::{Clock, ManualClock, MetricsLayer, RequestBodyLayer, Vitals, tag_route};

const CLASSES: [&str; 3] = ["method", "route", "status_class"];

/// The sums and the counts of a histogram by method, route and class.
fn sizes(vitals: &Vitals, name: &str) -> [Numbers; 2] {
    ["sum", "count"].map(|of| family(vitals, &format!("{name}_{of}"), &CLASSES))
}

fn ended_streams(vitals: &Vitals) -> Numbers {
    let labels = ["method", "route", "kind"];
    family(vitals, "http_stream_duration_seconds_count", &labels)
}

fn streams(vitals: &Vitals) -> Numbers {
    family(vitals, "http_streams_in_flight", &["kind"])
}

/// `first`, and once the gate is open `second`: eleven bytes of no known size.
fn halves(gate: &Gate) -> ScriptedBody {
    ScriptedBody::new().data("first").wait(gate).data("second").hides_end()
}

fn typed(content_type: &'static str, body: ScriptedBody) -> Response {
    ([("content-type", content_type)], Body::new(body)).into_response()
}

/// Answers of each kind of body.
fn app(gate: &Gate) -> Router {
    let route = |answer: fn(&Gate) -> Response| {
        let gate = gate.clone();
        get(async move || answer(&gate))
    };
    Router::new()
        .route("/known", route(|_| "hello".into_response()))
        .route("/empty", route(|_| ().into_response()))
        .route("/no-content", route(|_| (StatusCode::NO_CONTENT, "hello").into_response()))
        .route(
            "/not-modified",
            route(|_| (StatusCode::NOT_MODIFIED, "hello").into_response()),
        )
        .route("/broken", route(|_| (StatusCode::BAD_GATEWAY, "sorry").into_response()))
        .route("/stream", route(|gate| Body::new(halves(gate)).into_response()))
        .route("/torn", route(|gate| Body::new(halves(gate).error("torn")).into_response()))
        .route("/sized", route(|gate| Body::new(halves(gate).sized()).into_response()))
        .route(
            "/trailers",
            route(|gate| Body::new(halves(gate).trailers(trailers())).into_response()),
        )
        .route(
            "/events",
            route(|gate| typed("text/event-stream;charset=utf-8", halves(gate))),
        )
        .route(
            "/events/sized",
            route(|gate| typed("text/event-stream", halves(gate).sized())),
        )
        .route(
            "/parts",
            route(|gate| typed("multipart/x-mixed-replace; boundary=x", halves(gate))),
        )
        .route("/watch", route(|gate| typed("application/json", halves(gate))))
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().expect("it is a name"), HeaderValue::from_static("7"))])
}

async fn served(vitals: &Vitals, gate: &Gate) -> Result<Server> {
    let layer = MetricsLayer::builder(vitals).body_bytes().stream_routes(["/watch"]).build()?;
    Server::start(app(gate).layer(layer)).await
}

#[tokio::test]
async fn the_bytes_of_responses_are_those_that_were_there() -> Result<()> {
    for version in BOTH {
        let (vitals, gate) = (Vitals::new(), Gate::new());
        gate.open();
        let server = served(&vitals, &gate).await?;
        let mut expected = Vec::new();
        for (method, path, class, bytes) in [
            ("GET", "/known", "2xx", 5),
            ("HEAD", "/known", "2xx", 0),
            ("HEAD", "/stream", "2xx", 0),
            ("GET", "/empty", "2xx", 0),
            ("GET", "/no-content", "2xx", 0),
            ("GET", "/not-modified", "3xx", 0),
            ("GET", "/broken", "5xx", 5),
            ("GET", "/stream", "2xx", 11),
            ("GET", "/torn", "2xx", 11),
            ("GET", "/sized", "2xx", 11),
            ("GET", "/trailers", "2xx", 11),
            ("GET", "/events", "2xx", 11),
            ("GET", "/watch", "2xx", 11),
        ] {
            let mut client = version.connect(server.addr()).await?;
            let request = Request::builder().method(method).uri(path).body(Empty::new())?;
            let answered = client.send(request).await;
            assert_eq!(answered.is_err(), path == "/torn", "{path}, {version:?}");
            expected.push((format!("{method} {path} {class}"), bytes));
        }
        let counts = expected.iter().map(|(labels, _)| (labels.clone(), 1)).collect();
        let expected = [expected.into_iter().collect(), counts];
        until_eq(LIMIT, expected, || sizes(&vitals, "http_response_body_bytes")).await?;
        // Nobody sees what comes in.
        assert_eq!(sizes(&vitals, "http_request_body_bytes"), [const { Numbers::new() }; 2]);
    }
    Ok(())
}

#[tokio::test]
async fn a_response_that_is_left_has_the_bytes_that_were_taken() -> Result<()> {
    for version in BOTH {
        for path in ["/stream", "/sized", "/events"] {
            let (vitals, gate) = (Vitals::new(), Gate::new());
            let server = served(&vitals, &gate).await?;
            let mut client = version.connect(server.addr()).await?;
            let mut exchange = client.start(ask(path)).await?;
            assert!(exchange.frame().await?.is_some());
            exchange.cancel();
            let labels = format!("GET {path} 2xx");
            let expected = [owned(&[(&labels, 5)]), owned(&[(&labels, 1)])];
            until_eq(LIMIT, expected, || sizes(&vitals, "http_response_body_bytes")).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn bytes_and_heads_are_measured_only_where_that_was_asked() -> Result<()> {
    let vitals = Vitals::new();
    let layer = MetricsLayer::builder(&vitals).slot_in_extensions().build()?;
    let app = app(&Gate::new()).layer(RequestBodyLayer::new()).layer(layer);
    let response = app.oneshot(Request::get("/known").body(Body::empty())?).await?;
    response.into_body().collect().await?;
    assert_eq!(Seen::of(&vitals).total(), 1);
    for name in [
        "http_response_body_bytes",
        "http_request_body_bytes",
        "http_response_head_seconds",
    ] {
        assert_eq!(sizes(&vitals, name), [const { Numbers::new() }; 2], "{name}");
    }
    Ok(())
}

/// Handlers that read all, the first frame, or nothing of what is sent to them.
fn readers() -> Router {
    let first = async |body: Body| {
        let mut body = body;
        let frame = body.frame().await.expect("there is a frame").expect("it is whole");
        frame.into_data().expect("it is data")
    };
    Router::new()
        .route("/all", post(async |body: Bytes| body.len().to_string()))
        .route("/first", post(first))
        .route("/none", post(async || "no, thanks"))
}

#[tokio::test]
async fn the_bytes_of_requests_are_those_that_the_service_read() -> Result<()> {
    for version in BOTH {
        let vitals = Vitals::new();
        let layer = MetricsLayer::builder(&vitals).body_bytes().build()?;
        let server = Server::start(readers().layer(RequestBodyLayer::new()).layer(layer)).await?;
        let mut expected = Vec::new();
        for (method, path, class, bytes) in [
            ("POST", "/all", "2xx", 11),
            ("POST", "/first", "2xx", 5),
            ("POST", "/none", "2xx", 0),
            // The router answers these itself.
            ("PUT", "/all", "4xx", 0),
            ("POST", "_unmatched", "4xx", 0),
        ] {
            let gate = Gate::new();
            // Without a size, so in chunks over HTTP/1. The rest comes only when the answer is there, unless the answer waits for it.
            if path == "/all" {
                gate.open();
            }
            let mut client = version.connect(server.addr()).await?;
            let request = Request::builder().method(method).uri(path.replace('_', "/"));
            let mut exchange = client.start(request.body(halves(&gate))?).await?;
            exchange.head().await?;
            gate.open();
            exchange.finish().await?;
            expected.push((format!("{method} {path} {class}"), bytes));
        }
        let counts = expected.iter().map(|(labels, _)| (labels.clone(), 1)).collect();
        let expected = [expected.into_iter().collect(), counts];
        until_eq(LIMIT, expected, || sizes(&vitals, "http_request_body_bytes")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_upload_that_breaks_off_has_the_bytes_that_came() -> Result<()> {
    for version in BOTH {
        let vitals = Vitals::new();
        let layer = MetricsLayer::builder(&vitals).body_bytes().build()?;
        let (gate, arrived) = (Gate::new(), Gate::new());
        let seen = arrived.clone();
        let handler = async move |body: Body| {
            let mut body = body;
            let first = body.frame().await;
            seen.open();
            let second = body.frame().await;
            assert!(first.is_some_and(|frame| frame.is_ok()) && second.is_none_or(|frame| frame.is_err()));
        };
        let app = Router::new()
            .route("/", post(handler))
            .layer(RequestBodyLayer::new())
            .layer(layer);
        let server = Server::start(app).await?;
        let mut client = version.connect(server.addr()).await?;
        let exchange = client.start(Request::post("/").body(halves(&gate))?).await?;
        arrived.opened().await;
        drop(exchange);
        client.vanish().await;
        // What the answer was hangs on who is quicker.
        let bytes = || sizes(&vitals, "http_request_body_bytes").map(|numbers| numbers.values().sum::<u64>());
        until_eq(LIMIT, [5, 1], bytes).await?;
    }
    Ok(())
}

#[tokio::test]
async fn requests_are_measured_only_behind_the_layer_that_counts() -> Result<()> {
    let vitals = Vitals::new();
    let layer = MetricsLayer::builder(&vitals).body_bytes().build()?;
    let app = RequestBodyLayer::new().layer(layer.layer(readers()));
    let response = app.oneshot(Request::post("/all").body(Body::from("hello"))?).await?;
    assert_eq!(response.into_body().collect().await?.to_bytes(), "5");
    assert_eq!(sizes(&vitals, "http_request_body_bytes"), [const { Numbers::new() }; 2]);
    // No router stands around the layer.
    let response = owned(&[("POST _unmatched 2xx", 1)]);
    assert_eq!(sizes(&vitals, "http_response_body_bytes"), [response.clone(), response]);
    Ok(())
}

/// A response of which each frame takes three seconds.
fn slow(manual: &ManualClock) -> Response {
    let manual = manual.clone();
    let body = ScriptedBody::new().data("first").hides_end();
    Body::new(body.map_frame(move |frame| {
        manual.advance(Duration::from_secs(3));
        frame
    }))
    .into_response()
}

#[tokio::test]
async fn heads_are_timed_without_their_bodies() -> Result<()> {
    for (path, heads, whole) in [
        ("/slow", Some("GET /slow 2xx"), ("GET /slow 2xx", 5)),
        ("/tagged", Some("GET /tag 2xx"), ("GET /tag 2xx", 5)),
        ("/nowhere", Some("GET _unmatched 4xx"), ("GET _unmatched 4xx", 0)),
        ("/panic", None, ("GET /panic -", 2)),
    ] {
        let manual = ManualClock::new();
        let vitals = Vitals::builder().clock(Clock::manual(&manual)).build()?;
        let route = |tag: bool| {
            let manual = manual.clone();
            get(async move || {
                manual.advance(Duration::from_secs(2));
                assert!(!tag || tag_route("/tag"));
                slow(&manual)
            })
        };
        let late = manual.clone();
        let app = Router::new()
            .route("/slow", route(false))
            .route("/tagged", route(true))
            .route(
                "/panic",
                get(async move || -> () {
                    late.advance(Duration::from_secs(2));
                    panic!("on purpose")
                }),
            )
            .layer(MetricsLayer::builder(&vitals).head_seconds().build()?);
        let request = Request::get(path).body(Body::empty())?;
        let asking = tokio::spawn(async move {
            let Ok(response) = app.oneshot(request).await;
            response.into_body().collect().await.map(drop)
        });
        assert_eq!(asking.await.is_ok(), path != "/panic");
        let [sums, counts] = sizes(&vitals, "http_response_head_seconds");
        let seconds = if whole.1 == 5 { 2 } else { 0 };
        assert_eq!(
            sums,
            heads.map(|heads| owned(&[(heads, seconds)])).unwrap_or_default(),
            "{path}"
        );
        assert_eq!(counts, heads.map(|heads| owned(&[(heads, 1)])).unwrap_or_default(), "{path}");
        let durations = family(&vitals, "http_request_duration_seconds_sum", &CLASSES);
        assert_eq!(durations, owned(&[whole]), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn streams_are_in_flight_and_timed_apart() -> Result<()> {
    for version in BOTH {
        for (path, kind) in [("/events", "event_stream"), ("/parts", "mixed_replace"), ("/watch", "marked")] {
            for leaves in [false, true] {
                let (manual, gate) = (ManualClock::new(), Gate::new());
                let vitals = Vitals::builder().clock(Clock::manual(&manual)).build()?;
                let server = served(&vitals, &gate).await?;
                let mut client = version.connect(server.addr()).await?;
                let mut exchange = client.start(ask(path)).await?;
                assert!(exchange.frame().await?.is_some());
                assert_eq!(streams(&vitals), owned(&[(kind, 1)]), "{path}, {version:?}");
                assert_eq!(ended_streams(&vitals), Numbers::new());
                assert_eq!(Seen::of(&vitals), Seen::one_in_flight("GET"));
                manual.advance(Duration::from_secs(90));
                if leaves {
                    exchange.cancel();
                } else {
                    gate.open();
                    exchange.finish().await?;
                }
                until_eq(LIMIT, owned(&[(kind, 0)]), || streams(&vitals)).await?;
                let labels = format!("GET {path} {kind}");
                assert_eq!(ended_streams(&vitals), owned(&[(&labels, 1)]));
                let by = ["method", "route", "kind"];
                let seconds = family(&vitals, "http_stream_duration_seconds_sum", &by);
                assert_eq!(seconds, owned(&[(&labels, 90)]));
                let completed = format!("GET {path} 200 none completed");
                Seen::ended(&[(&completed, 1)], &[]).settles(&vitals).await?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_ends_by_itself_is_no_stream() -> Result<()> {
    let (vitals, gate) = (Vitals::new(), Gate::new());
    gate.open();
    let server = served(&vitals, &gate).await?;
    for version in BOTH {
        let mut client = version.connect(server.addr()).await?;
        client.send(ask("/events/sized")).await?;
        client.send(ask("/stream")).await?;
        for path in ["/events", "/parts", "/watch"] {
            client.send(Request::head(path).body(Empty::new())?).await?;
        }
    }
    let requests = [
        ("GET /events/sized 200 none completed", 2),
        ("GET /stream 200 none completed", 2),
        ("HEAD /events 200 none completed", 2),
        ("HEAD /parts 200 none completed", 2),
        ("HEAD /watch 200 none completed", 2),
    ];
    let durations = [
        ("GET /events/sized 2xx", 2),
        ("GET /stream 2xx", 2),
        ("HEAD /events 2xx", 2),
        ("HEAD /parts 2xx", 2),
        ("HEAD /watch 2xx", 2),
    ];
    Seen::ended(&requests, &durations).settles(&vitals).await?;
    assert_eq!((streams(&vitals), ended_streams(&vitals)), (Numbers::new(), Numbers::new()));
    Ok(())
}
