//! What a layer can be told beyond what it does anyway: labels of the application's own, known methods, and what several layers of a
//! Vitals have in common.

mod http_common;

use std::borrow::Cow;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use http::{Request, StatusCode};
use http_common::{LIMIT, Numbers, Seen, family, owned};
use tests::Result;
use tests::until::until_eq;
use tower::ServiceExt;
use tower_vitals::{
    AuthType, ClientMetricsLayer, IdHasher, MetricsLayer, MetricsLayerBuilder, Names, Principal, PrincipalIds, RegisterError,
    RequestSlot, UrlScheme, Vitals, tag_label, tag_route,
};

/// What is refused, or allowed, when a second layer asks for it.
type Build = fn(&Vitals) -> Result<(), RegisterError>;

/// Sets up a server's layer, and builds it.
macro_rules! layer {
    ($($setter:ident($($argument:expr),*)).*) => {
        |vitals: &Vitals| MetricsLayer::builder(vitals)$(.$setter($($argument),*))*.build().map(drop)
    };
}

/// Sets up a client's layer, and builds it.
macro_rules! client {
    ($($setter:ident($($argument:expr),*)).*) => {
        |vitals: &Vitals| ClientMetricsLayer::builder(vitals, "payments")$(.$setter($($argument),*))*.build().map(drop)
    };
}

/// The first value of a header.
fn header<'a>(headers: &'a http::HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    headers.get(name)?.to_str().ok().map(Cow::from)
}

/// With a label `tenant` from the request, of so many values.
fn by_tenant(vitals: &Vitals, most: usize) -> MetricsLayerBuilder {
    MetricsLayer::builder(vitals).request_label("tenant", most, |request| header(request.headers, "x-tenant"))
}

async fn send(app: &Router, request: http::request::Builder) -> Result<StatusCode> {
    let response = app.clone().oneshot(request.body(Body::empty())?).await?;
    let status = response.status();
    axum::body::to_bytes(response.into_body(), usize::MAX).await?;
    Ok(status)
}

/// `http_requests_total` by route, status, outcome and a label more.
fn requests_by(vitals: &Vitals, label: &str) -> Numbers {
    let labels = [label, "route", "status", "outcome", "method", "auth_type"];
    family(vitals, "http_requests_total", &labels)
}

async fn plan() -> [(&'static str, &'static str); 1] {
    assert!(tag_label("plan", "bronze"));
    tokio::task::yield_now().await;
    assert!(tag_label("plan", "gold"), "the last value counts");
    assert!(tag_label("nobody", "declared"));
    assert!(tag_label("method", "TAGGED"), "which is not ours to tag");
    [("x-cache", "hit")]
}

async fn team(slot: RequestSlot) -> &'static str {
    let spawned = slot.clone();
    assert!(slot.tag_label("team", "blue"));
    let told = tokio::spawn(async move { (spawned.tag_label("team", "red"), tag_label("plan", "none")) });
    assert_eq!(told.await.expect("it does not panic"), (true, false));
    "hello"
}

#[tokio::test]
async fn own_labels_come_from_the_request_the_response_and_the_slot() -> Result<()> {
    let vitals = Vitals::new();
    let layer = by_tenant(&vitals, 10)
        .response_label("cache", 10, |response| {
            let cache = header(response.headers, "x-cache")?;
            Some(format!("{}_{cache}", response.status.as_u16()).into())
        })
        .slot_label("plan", 10)
        .slot_label("team", 10)
        .slot_in_extensions();
    let app = Router::new()
        .route("/plan", get(plan))
        .route("/team", get(team))
        .layer(layer.build()?);
    send(&app, Request::get("/plan").header("x-tenant", "acme")).await?;
    send(&app, Request::get("/plan")).await?;
    send(&app, Request::get("/team").header("x-tenant", "acme")).await?;
    send(&app, Request::get("/nowhere").header("x-tenant", "")).await?;
    let labels = [
        "route",
        "tenant",
        "cache",
        "plan",
        "team",
        "status",
        "method",
        "auth_type",
        "outcome",
    ];
    let expected = [
        ("/plan acme 200_hit gold - 200 GET none completed", 1),
        ("/plan - 200_hit gold - 200 GET none completed", 1),
        ("/team acme - - red 200 GET none completed", 1),
        ("_unmatched - - - - 404 GET none completed", 1),
    ];
    assert_eq!(family(&vitals, "http_requests_total", &labels), owned(&expected));
    // The histogram is as lean as ever.
    let durations = [("GET /plan 2xx", 2), ("GET /team 2xx", 1), ("GET _unmatched 4xx", 1)];
    let labels = ["method", "route", "status_class"];
    assert_eq!(
        family(&vitals, "http_request_duration_seconds_count", &labels),
        owned(&durations)
    );
    assert!(!tag_label("plan", "outside of any request"));
    Ok(())
}

/// An absent value is not one of those that are counted, whenever it comes.
#[tokio::test]
async fn own_labels_end_at_their_budgets() -> Result<()> {
    for first in ["", "a"] {
        let vitals = Vitals::new();
        let app = Router::new()
            .route("/", get(async || "hello"))
            .layer(by_tenant(&vitals, 2).build()?);
        for tenant in [first, "a", "b", "c", "", "a", "d"] {
            send(&app, Request::get("/").header("x-tenant", tenant)).await?;
        }
        let none = if first.is_empty() { 2 } else { 1 };
        let expected = [
            ("- / 200 completed GET none", none),
            ("a / 200 completed GET none", 4 - none),
            ("b / 200 completed GET none", 1),
            ("_other / 200 completed GET none", 2),
        ];
        assert_eq!(requests_by(&vitals, "tenant"), owned(&expected), "first {first:?}");
        let overflow = family(&vitals, "vitals_label_overflow_total", &["family", "label"]);
        assert_eq!(overflow, owned(&[("http_requests_total tenant", 2)]));
    }
    Ok(())
}

#[test]
fn labels_that_cannot_be_are_refused_and_leave_nothing() {
    let table: [(Build, &str); 10] = [
        (layer!(slot_label("", 1)), "label name `` must not be empty"),
        (
            layer!(slot_label("2fast", 1)),
            "label name `2fast` must start with a letter or `_`",
        ),
        (
            layer!(slot_label("a\nb", 1)),
            "label name `a\\nb` may only have letters, digits and `_`",
        ),
        (layer!(slot_label("__name__", 1)), "label name `__name__` "),
        (layer!(slot_label("le", 1)), "label name `le` is reserved"),
        (layer!(slot_label("route", 1)), "`route`"),
        (layer!(slot_label("outcome", 1)), "`outcome`"),
        (layer!(slot_label("plan", 1).slot_label("plan", 2)), "`plan`"),
        (
            layer!(principal_ids(PrincipalIds::new(IdHasher::sha256()).on_requests(10)).slot_label("user", 1)),
            "`user`",
        ),
        (layer!(slot_label("zone", 1)), "label `zone` is a constant label already"),
    ];
    for (build, rule) in table {
        let vitals = Vitals::builder().constant_label("zone", "a").build().unwrap();
        let (before, scrape) = (
            vitals.catalogue().len(),
            vitals.encode_to_string(tower_vitals::encode::Protocol::TEXT),
        );
        let error = build(&vitals).expect_err(rule).to_string();
        assert!(error.contains(rule), "{rule}: {error}");
        assert!(!error.contains('\n'), "{error}");
        assert_eq!(vitals.catalogue().len(), before, "{rule}");
        assert_eq!(
            vitals.encode_to_string(tower_vitals::encode::Protocol::TEXT),
            scrape,
            "{rule}"
        );
        // What was wrong stands in nobody's way.
        let _ = MetricsLayer::new(&vitals);
    }
}

#[test]
fn labels_of_opentelemetrys_names_cannot_be_taken_either() {
    for label in ["http_route", "url_scheme", "error_type"] {
        let vitals = Vitals::new();
        let build = || {
            let named = MetricsLayer::builder(&vitals).names(Names::OpenTelemetry);
            named.slot_label(label, 1).build()
        };
        let error = build().unwrap_err().to_string();
        assert_eq!(error, format!("label name `{label}` is declared twice"));
        // By the usual names they are free.
        MetricsLayer::builder(&vitals).slot_label(label, 1).build().unwrap();
    }
}

#[tokio::test]
async fn a_closure_that_panics_finds_the_request_counted() -> Result<()> {
    let vitals = Vitals::new();
    let layer = MetricsLayer::builder(&vitals)
        .request_label("tenant", 10, |request| match request.uri.query() {
            Some("request") => panic!("on purpose"),
            _ => Some("acme".into()),
        })
        .response_label("cache", 10, |response| match response.headers.contains_key("x-panic") {
            true => panic!("on purpose"),
            false => None,
        });
    let app = Router::new()
        .route("/", get(async || "hello"))
        .route("/panic", get(async || [("x-panic", "1")]))
        .layer(layer.build()?);
    for path in ["/?request", "/panic", "/"] {
        let app = app.clone();
        let sent = tokio::spawn(async move { send(&app, Request::get(path)).await.is_ok() });
        assert_eq!(sent.await.is_ok(), path == "/", "{path}");
    }
    let labels = ["tenant", "route", "status", "outcome", "cache", "method", "auth_type"];
    let expected = owned(&[
        ("- / - panicked - GET none", 1),
        // Its head was never sent.
        ("acme /panic - panicked - GET none", 1),
        ("acme / 200 completed - GET none", 1),
    ]);
    assert_eq!(family(&vitals, "http_requests_total", &labels), expected);
    let mut in_flight = family(&vitals, "http_requests_in_flight", &["method"]);
    in_flight.retain(|_, count| *count != 0);
    assert_eq!(in_flight, Numbers::new());
    Ok(())
}

#[tokio::test]
async fn a_route_that_panics_finds_the_request_counted() -> Result<()> {
    let vitals = Vitals::new();
    let told = MetricsLayer::builder(&vitals).route_with(|_| panic!("on purpose"));
    let app = Router::new().route("/", get(async || "hello")).layer(told.build()?);
    let sent = tokio::spawn(async move { send(&app, Request::get("/")).await.is_ok() });
    assert!(sent.await.is_err());
    let panicked = Seen::ended(&[("GET _unmatched - none panicked", 1)], &[("GET _unmatched -", 1)]);
    panicked.settles(&vitals).await
}

#[tokio::test]
async fn the_methods_that_are_told_apart_can_be_set() -> Result<()> {
    let vitals = Vitals::new();
    let layer = MetricsLayer::builder(&vitals).known_methods(["PROPFIND", "GET", "_OTHER", "GET"]);
    let app = Router::new().route("/", any(async || "hello")).layer(layer.build()?);
    for method in ["GET", "PROPFIND", "propfind", "POST", "PROPFIND2"] {
        send(&app, Request::builder().method(method).uri("/")).await?;
    }
    let requests = [
        ("GET / 200 none completed", 1),
        ("PROPFIND / 200 none completed", 1),
        ("_OTHER / 200 none completed", 3),
    ];
    let durations = [("GET / 2xx", 1), ("PROPFIND / 2xx", 1), ("_OTHER / 2xx", 3)];
    Seen::ended(&requests, &durations).settles(&vitals).await?;
    let in_flight = [("GET", 0), ("PROPFIND", 0), ("_OTHER", 0)];
    assert_eq!(family(&vitals, "http_requests_in_flight", &["method"]), owned(&in_flight));
    Ok(())
}

#[test]
fn methods_that_cannot_be_are_refused() {
    let many = |most: usize| (0..most).map(|n| format!("M{n}")).collect::<Vec<_>>();
    let build = |methods: Vec<String>| MetricsLayer::builder(&Vitals::new()).known_methods(methods).build();
    for (method, shown) in [("", "``"), ("A B", "`A B`"), ("GET,POST", "`GET,POST`"), ("a\n", "`a\\n`")] {
        let error = build(vec!["GET".to_owned(), method.to_owned()]).unwrap_err().to_string();
        assert!(error.contains(&format!("{shown} is not the name of a method")), "{error}");
    }
    let error = build(many(63)).unwrap_err().to_string();
    assert!(
        error.contains("63 methods are too many to tell apart, 62 are the most"),
        "{error}"
    );
    assert!(build(many(62)).is_ok() && build(Vec::new()).is_ok());
}

fn ids(secret: [u8; 32]) -> PrincipalIds {
    PrincipalIds::new(IdHasher::keyed(secret).expect("it is long enough"))
}

/// What a first layer was told, what a second one asks for, and what the error names.
const DIFFERENT: &[(Build, Build, &str)] = &[
    (
        layer!(duration_buckets([1.0, 2.0])),
        layer!(duration_buckets([1.0, 3.0])),
        "buckets",
    ),
    (layer!(), layer!(duration_buckets([1.0])), "buckets"),
    (layer!(), layer!(names(Names::OpenTelemetry)), "names"),
    (layer!(names(Names::OpenTelemetry)), layer!(names(Names::Prometheus)), "names"),
    (layer!(), layer!(known_methods(["GET"])), "known methods"),
    (
        layer!(known_methods(["GET"])),
        layer!(known_methods(["GET", "PUT"])),
        "known methods",
    ),
    (layer!(), layer!(auth_types(["saml"])), "auth types"),
    (layer!(auth_types(["saml"])), layer!(auth_types(["spnego"])), "auth types"),
    (layer!(), layer!(slot_label("plan", 2)), "own labels"),
    (layer!(slot_label("plan", 2)), layer!(slot_label("plan", 3)), "own labels"),
    (layer!(slot_label("plan", 2)), layer!(slot_label("tier", 2)), "own labels"),
    (
        layer!(slot_label("plan", 2)),
        layer!(slot_label("plan", 2).slot_label("tier", 2)),
        "own labels",
    ),
    (
        layer!(principal_ids(ids([1; 32]))),
        layer!(principal_ids(ids([1; 32]).users(7))),
        "PrincipalIds",
    ),
    (
        layer!(principal_ids(ids([1; 32]))),
        layer!(principal_ids(ids([2; 32]))),
        "another secret",
    ),
    (
        layer!(principal_ids(ids([1; 32]))),
        layer!(principal_ids(ids([1; 32]).expire_after(Duration::from_secs(5)))),
        "PrincipalIds",
    ),
    (
        layer!(),
        layer!(principal_ids(ids([1; 32]).on_requests(100))),
        "users on requests",
    ),
    (
        layer!(principal_ids(ids([1; 32]).on_requests(100))),
        layer!(principal_ids(ids([1; 32]).on_requests(200))),
        "users on requests",
    ),
    (client!(), client!(names(Names::OpenTelemetry)), "names"),
    (client!(), client!(duration_buckets([1.0])), "buckets"),
    (client!(), client!(known_methods(["GET"])), "known methods"),
    (client!(), client!(request_label("tenant", 1, |_| None)), "own labels"),
];

/// Pairs that have nothing against one another.
const ALIKE: &[(Build, Build)] = &[
    (
        layer!(
            duration_buckets([1.0, 2.0])
                .known_methods(["GET", "PUT"])
                .slot_label("plan", 2)
        ),
        layer!(
            duration_buckets([1.0, 2.0])
                .known_methods(["PUT", "GET"])
                .slot_label("plan", 2)
        ),
    ),
    (
        layer!(duration_buckets([1.0]).auth_types(["saml"]).names(Names::OpenTelemetry)),
        layer!(),
    ),
    (
        layer!(),
        layer!(duration_buckets([
            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0
        ])),
    ),
    (layer!(principal_ids(ids([1; 32]))), layer!(principal_ids(ids([1; 32])))),
    (layer!(), layer!(principal_ids(ids([1; 32])))),
    // Where the value comes from is each layer's own affair.
    (layer!(slot_label("plan", 2)), layer!(request_label("plan", 2, |_| None))),
    // So is what no family's shape hangs on.
    (
        layer!(skip_routes(["/a"]).head_seconds().url_scheme(UrlScheme::Http)),
        layer!(skip_routes(["/b"]).body_bytes().url_scheme(UrlScheme::Https)),
    ),
    // The two sides have nothing in common.
    (
        layer!(names(Names::OpenTelemetry).duration_buckets([1.0])),
        client!(duration_buckets([2.0])),
    ),
];

#[test]
fn a_second_layer_that_differs_is_told_in_what() {
    for (first, second, what) in DIFFERENT {
        let vitals = Vitals::new();
        first(&vitals).unwrap_or_else(|error| panic!("{what}: {error}"));
        let before = vitals.catalogue().len();
        let error = second(&vitals).expect_err(what).to_string();
        assert!(error.contains(what), "{what}: {error}");
        assert!(!error.contains('\n') && error.len() < 1_000, "{error}");
        assert!(!error.contains("[1, 1") && !error.contains("[2, 2"), "a secret: {error}");
        assert_eq!(vitals.catalogue().len(), before, "{what}");
        first(&vitals).unwrap_or_else(|error| panic!("{what}, the same again: {error}"));
    }
}

#[test]
fn a_second_layer_may_say_the_same_or_nothing() {
    for (first, second) in ALIKE {
        let vitals = Vitals::new();
        first(&vitals).and_then(|()| second(&vitals)).unwrap();
        let _ = MetricsLayer::new(&vitals);
    }
}

/// A layer that says nothing of own labels has them all the same, and they are empty unless code further in says them.
#[tokio::test]
async fn own_labels_are_those_of_all_layers() -> Result<()> {
    let vitals = Vitals::new();
    let with = Router::new()
        .route("/with", get(async || "hello"))
        .layer(by_tenant(&vitals, 10).slot_label("plan", 2).build()?);
    let without = Router::new().route("/without", get(plan)).layer(MetricsLayer::new(&vitals));
    for (app, path) in [(&with, "/with"), (&without, "/without")] {
        send(app, Request::get(path).header("x-tenant", "acme")).await?;
    }
    let labels = ["route", "tenant", "plan", "status", "outcome", "method", "auth_type"];
    let expected = [
        ("/with acme - 200 completed GET none", 1),
        ("/without - gold 200 completed GET none", 1),
    ];
    assert_eq!(family(&vitals, "http_requests_total", &labels), owned(&expected));
    Ok(())
}

/// A layer that could not be built decides nothing for the next.
#[test]
fn a_layer_that_fails_leaves_the_settings_open() -> Result<()> {
    let vitals = Vitals::new();
    let never = ids([1; 32]).expire_after(Duration::ZERO);
    let error = MetricsLayer::builder(&vitals).principal_ids(never).build();
    assert!(error.unwrap_err().to_string().contains("zero"));
    MetricsLayer::builder(&vitals)
        .principal_ids(ids([1; 32]))
        .auth_types(["saml"])
        .build()?;
    Ok(())
}

/// What is said with a handle and without has one order.
#[tokio::test]
async fn a_handle_and_the_slot_agree_on_what_came_first_and_last() -> Result<()> {
    let vitals = Vitals::new();
    let layer = MetricsLayer::builder(&vitals)
        .principal_ids(PrincipalIds::new(IdHasher::sha256()))
        .slot_in_extensions()
        .slot_label("plan", 5)
        .build()?;
    let handler = get(async |slot: RequestSlot| {
        Principal::new(AuthType::Jwt).user("alice").record();
        slot.record(Principal::new(AuthType::Jwt).user("bob"));
        slot.tag_route("/first");
        slot.tag_label("plan", "first");
        tokio::task::yield_now().await;
        tag_route("/last");
        tag_label("plan", "last");
    });
    let app = Router::new().route("/", handler).layer(layer);
    assert_eq!(send(&app, Request::get("/")).await?, 200);
    let labels = ["method", "route", "status", "auth_type", "outcome", "plan"];
    let requests = owned(&[("GET /last 200 jwt completed last", 1)]);
    until_eq(LIMIT, requests, || family(&vitals, "http_requests_total", &labels)).await?;
    // The first digits of what sha256sum says of alice.
    let users = family(&vitals, "http_user_requests_total", &["auth_type", "user", "outcome"]);
    assert_eq!(users, owned(&[("jwt 2bd806c9 completed", 1)]));
    let conflicts = family(&vitals, "http_principal_conflicts_total", &["part"]);
    assert_eq!(conflicts, owned(&[("user", 1)]));
    Ok(())
}

#[tokio::test]
async fn errors_of_the_application_are_counted_by_kind() -> Result<()> {
    let vitals = Vitals::builder().namespace("shop").build()?;
    let errors = vitals.errors()?;
    let app = Router::new()
        .route(
            "/",
            get(async move || {
                errors.with(["payment_refused"]).inc();
                StatusCode::BAD_GATEWAY
            }),
        )
        .layer(MetricsLayer::new(&vitals));
    assert_eq!(send(&app, Request::get("/")).await?, 502);
    assert_eq!(send(&app, Request::get("/")).await?, 502);
    vitals.errors()?.with(["disk_full"]).inc();
    let expected = owned(&[("payment_refused", 2), ("disk_full", 1)]);
    until_eq(LIMIT, expected, || family(&vitals, "shop_errors_total", &["kind"])).await?;
    let own = vitals.counter("errors", "Mine").labels(["code"]);
    assert!(own.unwrap_err().to_string().contains("shop_errors"));
    Ok(())
}
