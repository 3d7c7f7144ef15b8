//! Rules by route: what is not counted, what counts together, what is a stream, and what has an objective.

mod http_common;

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use http_common::{LIMIT, Numbers, Seen, family, numbers, owned};
use tests::Result;
use tests::body::{Gate, ScriptedBody};
use tests::until::until_eq;
use tower::{Layer, ServiceExt, service_fn};
use tower_vitals::encode::Protocol;
use tower_vitals::{
    AuthType, Clock, IdHasher, ManualClock, MetricsLayer, MetricsLayerBuilder, Principal, PrincipalIds, RequestBodyLayer,
    RequestSlot, Slo, Vitals, tag_route,
};

/// What tells of a request, apart from what is in flight.
const TELLING: [&str; 10] = [
    "http_requests_total",
    "http_request_duration_seconds_count",
    "http_response_head_seconds_count",
    "http_request_body_bytes_count",
    "http_response_body_bytes_count",
    "http_stream_duration_seconds_count",
    "http_streams_in_flight",
    "http_slo_requests_total",
    "http_user_requests_total",
    "grpc_requests_total",
];

/// The samples of those families.
fn told(vitals: &Vitals) -> Vec<String> {
    let text = vitals.encode_to_string(Protocol::TEXT);
    let tells = |line: &&str| TELLING.iter().any(|name| line.starts_with(&format!("{name}{{")));
    text.lines().filter(tells).map(str::to_owned).collect()
}

/// Everything that there is to tell.
fn everything(vitals: &Vitals) -> MetricsLayerBuilder {
    MetricsLayer::builder(vitals)
        .principal_ids(PrincipalIds::new(IdHasher::sha256()))
        .slo("*", Slo::new(Duration::from_secs(1)))
        .head_seconds()
        .body_bytes()
        .slot_in_extensions()
}

/// Sends a GET, and gives up where the service panics or the body fails.
async fn ask(app: &Router, path: &str) -> Result<StatusCode> {
    let (app, request) = (app.clone(), Request::get(path).body(Body::empty())?);
    let asking = tokio::spawn(async move {
        let response = app.oneshot(request).await?;
        let status = response.status();
        axum::body::to_bytes(response.into_body(), usize::MAX).await?;
        Ok(status)
    });
    asking.await?
}

/// Tags the route with what stands behind `/tag`, from the handler or from a task.
async fn tagging(slot: RequestSlot, Path((from, tag)): Path<(String, String)>) -> Response<Body> {
    Principal::new(AuthType::Session).user("alice").record();
    let tag = format!("/{tag}");
    if from == "slot" {
        let told = tokio::spawn(async move { slot.tag_route(tag) }).await;
        assert!(told.is_ok_and(|told| told));
    } else {
        assert!(tag_route(tag));
    }
    scripted()
}

/// An answer of no known size.
fn scripted() -> Response<Body> {
    Response::new(Body::new(ScriptedBody::new().data("first").data("second").hides_end()))
}

async fn known() -> &'static str {
    Principal::new(AuthType::Session).user("alice").record();
    "hello"
}

/// Routes that tag what they are asked for, and some that do not.
fn app() -> Router {
    Router::new()
        .route("/tag/{from}/{route}", get(tagging))
        .route("/health", get(known))
        .route("/health/deep", get(known))
        .route("/files/{*path}", get(known))
        .route("/users/{id}", get(known))
}

#[tokio::test]
async fn skipped_routes_are_not_counted_wherever_their_route_comes_from() -> Result<()> {
    for path in [
        "/health",
        "/health?deep",
        "/files/a/b",
        "/tag/handler/health",
        "/tag/slot/health",
        "/tag/handler/internal-only",
        "/tag/slot/internal-only",
    ] {
        let vitals = Vitals::new();
        let layer = everything(&vitals).skip_routes(["/health", "/files/{*path}"]);
        // Streams, too.
        let layer = layer
            .skip_routes(["/internal*".to_owned()])
            .stream_routes(["/internal-only"])
            .build()?;
        let app = app().layer(RequestBodyLayer::new()).layer(layer);
        assert_eq!(ask(&app, path).await?, 200);
        assert_eq!(told(&vitals), Vec::<String>::new(), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_skipped_is_counted() -> Result<()> {
    for (path, counted) in [
        ("/health/deep", "/health/deep"),
        ("/users/7", "/users/{id}"),
        ("/files", "_unmatched"),
        ("/tag/handler/healthy", "/healthy"),
        ("/tag/slot/healthy", "/healthy"),
        ("/tag/handler/x", "/x"),
    ] {
        let vitals = Vitals::new();
        let layer = everything(&vitals).skip_routes(["/health", "/files/*", "/tag/*"]).build()?;
        let app = app().layer(RequestBodyLayer::new()).layer(layer);
        let status = ask(&app, path).await?;
        let requests = told(&vitals)
            .iter()
            .filter(|line| line.contains(&format!("route=\"{counted}\"")))
            .count();
        // Once in each family by route but those of streams and of gRPC; what nothing matched has no objective.
        let families = if counted == "_unmatched" { 5 } else { 6 };
        assert_eq!(requests, families, "{path}, {status}: {:#?}", told(&vitals));
    }
    Ok(())
}

#[tokio::test]
async fn a_skipped_request_is_in_flight_all_the_same() -> Result<()> {
    let (vitals, gate) = (Vitals::new(), Gate::new());
    let held = gate.clone();
    let app = Router::new().route("/health", get(async move || held.opened().await));
    let app = app.layer(MetricsLayer::builder(&vitals).skip_routes(["/health"]).build()?);
    let asking = tokio::spawn(async move { ask(&app, "/health").await.is_ok() });
    until_eq(LIMIT, Seen::one_in_flight("GET"), || Seen::of(&vitals)).await?;
    gate.open();
    assert!(asking.await?);
    Seen::default().settles(&vitals).await
}

/// The layer that comes first counts, and its rules hold.
#[tokio::test]
async fn what_an_outer_layer_skips_no_inner_one_counts() -> Result<()> {
    for (outer, inner, counted) in [("/health", "/none", false), ("/none", "/health", true)] {
        let vitals = Vitals::new();
        let skip = |route| MetricsLayer::builder(&vitals).skip_routes([route]).build();
        let app = app().layer(skip(inner)?);
        let request = Request::get("/health").body(Body::empty())?;
        let response = skip(outer)?.layer(app).oneshot(request).await?;
        response.into_body().collect().await?;
        let requests = [("GET /health 200 session completed", 1)];
        let one = Seen::ended(&requests, &[("GET /health 2xx", 1)]);
        assert_eq!(Seen::of(&vitals), if counted { one } else { Seen::default() }, "{outer}");
    }
    Ok(())
}

/// Each group takes one place of the budget, as the template does that is always tagged away and `_unmatched`.
#[tokio::test]
async fn grouped_routes_count_under_one_name() -> Result<()> {
    let vitals = Vitals::builder().label_budget(4).build()?;
    let layer = MetricsLayer::builder(&vitals)
        .slot_in_extensions()
        .group_route("/files/{*path}", "static")
        .group_route("/asset*", "static")
        .group_route("/asset-map", "map");
    let app = app().layer(layer.build()?);
    for path in [
        "/files/a",
        "/tag/handler/asset-1",
        "/tag/slot/asset-2",
        "/tag/handler/asset",
        "/tag/handler/asset-map",
        "/files/b",
    ] {
        ask(&app, path).await?;
    }
    let requests = owned(&[("GET static 200 none completed", 5), ("GET map 200 session completed", 1)]);
    let mut seen = Seen::of(&vitals).requests;
    let tagged = seen.remove("GET static 200 session completed");
    *seen.entry("GET static 200 none completed".to_owned()).or_default() += tagged.unwrap_or_default();
    assert_eq!(seen, requests);
    assert_eq!(
        Seen::of(&vitals).durations,
        owned(&[("GET static 2xx", 5), ("GET map 2xx", 1)])
    );
    Ok(())
}

#[tokio::test]
async fn marked_routes_are_streams_wherever_their_route_comes_from() -> Result<()> {
    for (path, route) in [
        ("/users/7", Some("/users/{id}")),
        ("/files/a", Some("group")),
        ("/tag/handler/watch", Some("/watch")),
        ("/tag/handler/feed-7", Some("/feed-7")),
        ("/tag/slot/watch", Some("/watch")),
        ("/tag/handler/plain", None),
        ("/tag/slot/plain", None),
        ("/health", None),
    ] {
        let vitals = Vitals::new();
        let layer = MetricsLayer::builder(&vitals)
            .slot_in_extensions()
            .group_route("/files/*", "group")
            .stream_routes(["/watch", "/users/{id}", "group"])
            .stream_routes(["/feed*", "/tag/*"]);
        let app = app().layer(layer.build()?);
        ask(&app, path).await?;
        let ended = family(&vitals, "http_stream_duration_seconds_count", &["method", "route", "kind"]);
        let in_flight = family(&vitals, "http_streams_in_flight", &["kind"]);
        if let Some(route) = route {
            assert_eq!(ended, owned(&[(&format!("GET {route} marked"), 1)]), "{path}");
            assert_eq!(in_flight, owned(&[("marked", 0)]), "{path}");
            assert_eq!(Seen::of(&vitals).durations, Numbers::new(), "{path}");
        } else {
            // Where the template was marked and the tag is not, it is none, either.
            assert_eq!((ended, in_flight), (Numbers::new(), Numbers::new()), "{path}");
            assert_eq!(Seen::of(&vitals).durations.values().sum::<u64>(), 1, "{path}");
        }
        assert_eq!(Seen::of(&vitals).total(), 1, "{path}");
    }
    Ok(())
}

/// `http_slo_requests_total` by route and verdict.
fn verdicts(vitals: &Vitals) -> Numbers {
    family(vitals, "http_slo_requests_total", &["route", "verdict"])
}

/// A service whose time is what its path says, in milliseconds, and how it ends.
fn timed(manual: &ManualClock) -> Router {
    let manual = manual.clone();
    let handler = async move |Path((route, millis, ending)): Path<(String, u64, String)>| {
        tag_route(format!("/{route}"));
        let time = Duration::from_millis(millis);
        let body = ScriptedBody::new().data("first").hides_end();
        match &*ending {
            "body" => {
                let clock = manual.clone();
                let late = axum::body::Bytes::from("late");
                let body = body.data(late).map_frame(move |frame| {
                    clock.advance(time / 2);
                    frame
                });
                return Body::new(body).into_response();
            }
            "panic" => panic!("on purpose"),
            _ => manual.advance(time),
        }
        match &*ending {
            "torn" => Body::new(body.error("torn")).into_response(),
            "events" => ([("content-type", "text/event-stream")], Body::new(body)).into_response(),
            status => (
                StatusCode::from_u16(status.parse().expect("it is a status")).expect("it is one"),
                "hello",
            )
                .into_response(),
        }
    };
    Router::new().route("/{route}/{millis}/{ending}", get(handler))
}

#[tokio::test]
async fn requests_are_judged_by_the_objective_of_their_route() -> Result<()> {
    for (path, verdict) in [
        ("/users/0/200", Some("/users good")),
        ("/users/100/404", Some("/users good")),
        ("/users/101/200", Some("/users tolerable")),
        ("/users/400/304", Some("/users tolerable")),
        ("/users/401/200", Some("/users bad")),
        ("/users/0/500", Some("/users bad")),
        ("/users/0/503", Some("/users bad")),
        ("/users/0/torn", Some("/users bad")),
        ("/users/0/panic", Some("/users bad")),
        // The time is that of the whole response.
        ("/users/100/body", Some("/users good")),
        ("/users/102/body", Some("/users tolerable")),
        ("/users/0/events", None),
        ("/users/5000/events", None),
        ("/strict-a/150/200", Some("/strict-a tolerable")),
        ("/strict-a/151/200", Some("/strict-a bad")),
        ("/asset-1/1/200", Some("assets good")),
        ("/others/0/200", None),
        ("/others/0/500", None),
    ] {
        let manual = ManualClock::new();
        let vitals = Vitals::builder().clock(Clock::manual(&manual)).build()?;
        let strict = Slo::new(Duration::from_millis(100)).tolerable(Duration::from_millis(150));
        let layer = MetricsLayer::builder(&vitals)
            .slo("/users", Slo::new(Duration::from_millis(100)))
            .slo("/strict*", strict)
            .group_route("/asset*", "assets")
            .slo("assets", strict);
        let app = timed(&manual).layer(layer.build()?);
        let _ = ask(&app, path).await;
        let expected = verdict.map(|verdict| owned(&[(verdict, 1)])).unwrap_or_default();
        assert_eq!(verdicts(&vitals), expected, "{path}");
    }
    Ok(())
}

/// How long it would have taken nobody knows, unless it was too long already.
#[tokio::test]
async fn who_goes_away_is_counted_only_when_it_waited_too_long() -> Result<()> {
    for (waited, in_body, expected) in [
        (400, false, Numbers::new()),
        (401, false, owned(&[("/never bad", 1)])),
        (400, true, Numbers::new()),
        (401, true, owned(&[("/never bad", 1)])),
    ] {
        let manual = ManualClock::new();
        let vitals = Vitals::builder().clock(Clock::manual(&manual)).build()?;
        let gate = Gate::new();
        let handler = async move || {
            if !in_body {
                gate.opened().await;
            }
            Response::new(Body::new(ScriptedBody::new().data("first").wait(&gate)))
        };
        let slo = Slo::new(Duration::from_millis(100));
        let layer = MetricsLayer::builder(&vitals).slo("/never", slo).build()?;
        let app = Router::new().route("/never", get(handler)).layer(layer);
        let mut asking = Box::pin(app.oneshot(Request::get("/never").body(Body::empty())?));
        let response = poll_once(&mut asking).await;
        manual.advance(Duration::from_millis(waited));
        assert_eq!(response.is_some(), in_body);
        drop((asking, response));
        assert_eq!(verdicts(&vitals), expected, "{waited}, {in_body}");
        assert_eq!(Seen::of(&vitals).total(), 1);
    }
    Ok(())
}

/// Polls once.
async fn poll_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

/// A path of gRPC is the route of its calls once it is known to be one, so rules hold for it.
#[tokio::test]
async fn rules_hold_for_the_paths_of_grpc_calls() -> Result<()> {
    let vitals = Vitals::new();
    let layer = MetricsLayer::builder(&vitals)
        .head_seconds()
        .skip_routes(["/grpc.health.v1.Health/*"])
        .group_route("/shop.Cart/*", "cart")
        .slo("/shop.Orders/List", Slo::new(Duration::from_secs(60)));
    let layer = layer.build()?;
    let answer = service_fn(async |_: Request<Body>| {
        let trailers = HeaderMap::from_iter([("grpc-status".parse().expect("it is"), HeaderValue::from_static("0"))]);
        Ok::<_, Infallible>(Response::new(ScriptedBody::new().trailers(trailers)))
    });
    let service = layer.layer(answer);
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Check",
        "/shop.Cart/Fill",
        "/shop.Cart/Pay",
        "/shop.Orders/List",
        "/shop.Orders/List",
    ] {
        let call = Request::post(path).header("content-type", "application/grpc");
        let call = call.version(Version::HTTP_2).body(Body::empty())?;
        let response = service.clone().oneshot(call).await?;
        response.into_body().collect().await.map_err(|error| error.to_string())?;
    }
    let requests = [
        ("POST cart 200 none completed", 2),
        ("POST /shop.Orders/List 200 none completed", 2),
    ];
    let durations = [("POST cart 2xx", 2), ("POST /shop.Orders/List 2xx", 2)];
    assert_eq!(Seen::of(&vitals), Seen::ended(&requests, &durations));
    assert_eq!(verdicts(&vitals), owned(&[("/shop.Orders/List good", 2)]));
    // A head comes before what tells that the path is known.
    let heads = family(
        &vitals,
        "http_response_head_seconds_count",
        &["method", "route", "status_class"],
    );
    assert_eq!(heads, owned(&[("POST _unmatched 2xx", 4), ("POST /shop.Orders/List 2xx", 1)]));
    let text = vitals.encode_to_string(Protocol::TEXT);
    let calls = numbers(&text, "grpc_requests_total", &["service", "method", "code", "outcome"]);
    let expected = [
        ("shop.Cart Fill OK completed", 1),
        ("shop.Cart Pay OK completed", 1),
        ("shop.Orders List OK completed", 2),
    ];
    assert_eq!(calls, owned(&expected));
    Ok(())
}

#[test]
fn rules_that_cannot_be_are_refused() {
    let layer = |set: fn(MetricsLayerBuilder) -> MetricsLayerBuilder| {
        let vitals = Vitals::new();
        let refused = set(MetricsLayer::builder(&vitals)).build().map(drop);
        // What was wrong stands in nobody's way.
        let _ = MetricsLayer::new(&vitals);
        refused.expect_err("it is refused").to_string()
    };
    let table = [
        (
            layer(|layer| layer.skip_routes([""])),
            "the pattern `` of `skip_routes` is empty",
        ),
        (
            layer(|layer| layer.stream_routes(["/a*b"])),
            "the pattern `/a*b` of `stream_routes` must have `*` only at its end",
        ),
        (
            layer(|layer| layer.group_route("/a", "")),
            "the pattern `/a` of `group_route` has no name for its group",
        ),
        (
            layer(|layer| layer.group_route("/a", "b").group_route("/a", "c")),
            "the pattern `/a` of `group_route` is there twice, and not the same",
        ),
        (
            layer(|layer| layer.slo("/a", Slo::new(Duration::ZERO))),
            "the pattern `/a` of `slo` breaks a rule: the good time of an SLO must be longer than zero",
        ),
        (
            layer(|layer| layer.slo("/a", Slo::new(Duration::from_secs(2)).tolerable(Duration::from_secs(1)))),
            "the tolerable time of an SLO must not be shorter than the good time: 1s, 2s",
        ),
    ];
    for (error, rule) in table {
        assert!(
            error.contains(rule) && error.starts_with("`http_request_duration_seconds`: "),
            "{error}"
        );
    }
}
