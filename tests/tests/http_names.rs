//! OpenTelemetry's names: the families, types, labels and buckets of its semantic conventions for HTTP metrics, as Prometheus has them,
//! and nothing beside them but what is told apart.

mod http_common;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::env;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use http_common::{BOTH, LIMIT, Numbers, family, owned};
use tests::Result;
use tests::body::{Gate, ScriptedBody};
use tests::client::{Client, get as ask};
use tests::raw::RawConn;
use tests::server::Server;
use tests::until::until_eq;
use tower::{Layer, ServiceExt, service_fn};
use tower_vitals::encode::Protocol;
use tower_vitals::{
    AuthType, ClientMetricsLayer, ClientMetricsLayerBuilder, Descriptor, IdHasher, Kind, Label, MetricsLayer,
    MetricsLayerBuilder, Names, Principal, PrincipalIds, RequestBodyLayer, Slo, UrlScheme, Vitals,
};

/// A metric of the conventions.
struct Metric {
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    buckets: &'static [&'static str],
}

/// What a server's request says of itself; a label that the conventions want only sometimes is empty at other times.
const OF_SERVER: &[&str] = &[
    "http_request_method",
    "url_scheme",
    "http_route",
    "http_response_status_code",
    "error_type",
    "network_protocol_version",
];

const OF_CLIENT: &[&str] = &[
    "http_request_method",
    "server_address",
    "server_port",
    "http_response_status_code",
    "error_type",
    "network_protocol_version",
];

const SECONDS: &[&str] = &[
    "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "7.5", "10", "+Inf",
];

/// The conventions give no buckets for sizes.
const BYTES: &[&str] = &[
    "64",
    "256",
    "1024",
    "4096",
    "16384",
    "65536",
    "262144",
    "1.048576e+06",
    "4.194304e+06",
    "1.6777216e+07",
    "6.7108864e+07",
    "+Inf",
];

/// The conventions' table.
const TABLE: &[Metric] = &[
    Metric {
        name: "http_server_request_duration_seconds",
        kind: Kind::Histogram,
        labels: OF_SERVER,
        buckets: SECONDS,
    },
    Metric {
        name: "http_server_active_requests",
        kind: Kind::Gauge,
        labels: &["http_request_method", "url_scheme"],
        buckets: &[],
    },
    Metric {
        name: "http_server_request_body_size_bytes",
        kind: Kind::Histogram,
        labels: OF_SERVER,
        buckets: BYTES,
    },
    Metric {
        name: "http_server_response_body_size_bytes",
        kind: Kind::Histogram,
        labels: OF_SERVER,
        buckets: BYTES,
    },
    Metric {
        name: "http_client_request_duration_seconds",
        kind: Kind::Histogram,
        labels: OF_CLIENT,
        buckets: SECONDS,
    },
    Metric {
        name: "http_client_active_requests",
        kind: Kind::Gauge,
        labels: &["http_request_method", "server_address", "server_port"],
        buckets: &[],
    },
    Metric {
        name: "http_client_request_body_size_bytes",
        kind: Kind::Histogram,
        labels: OF_CLIENT,
        buckets: BYTES,
    },
    Metric {
        name: "http_client_response_body_size_bytes",
        kind: Kind::Histogram,
        labels: OF_CLIENT,
        buckets: BYTES,
    },
];

/// What the conventions do not have, and goes by the same names as ever.
const EXTRA: &[&str] = &[
    "errors",
    "grpc_requests",
    "http_api_key_requests",
    "http_client_response_head_seconds",
    "http_principal_conflicts",
    "http_response_head_seconds",
    "http_slo_requests",
    "http_stream_duration_seconds",
    "http_streams_in_flight",
    "http_user_requests",
    "vitals_attachment_errors",
    "vitals_label_overflow",
    "vitals_series",
];

/// Of those, what there is only when something is wrong.
const SILENT: &[&str] = &["vitals_attachment_errors", "vitals_label_overflow"];

fn server(vitals: &Vitals) -> MetricsLayerBuilder {
    MetricsLayer::builder(vitals).names(Names::OpenTelemetry)
}

fn client(vitals: &Vitals, target: &str) -> ClientMetricsLayerBuilder {
    ClientMetricsLayer::builder(vitals, target).names(Names::OpenTelemetry)
}

/// The count of durations by the labels of the conventions, which is that of requests.
fn counts(vitals: &Vitals, side: &str) -> Numbers {
    let labels = if side == "server" { OF_SERVER } else { OF_CLIENT };
    family(vitals, &format!("http_{side}_request_duration_seconds_count"), labels)
}

fn app() -> Router {
    let answer = |status: u16| any(async move || StatusCode::from_u16(status).expect("it is a status"));
    let first = |gate: &Gate| ScriptedBody::new().data("first").wait(gate).hides_end();
    Router::new()
        .route("/users/{id}", any(async |Path(_): Path<String>, body: String| body))
        .route("/refused", answer(403))
        .route("/broken", answer(500))
        .route("/busy", answer(503))
        .route(
            "/torn",
            get(async || Body::new(ScriptedBody::new().data("first").error("torn"))),
        )
        .route("/torn/busy", get(async || torn_and_busy()))
        .route("/stream", get(async move || Body::new(first(&Gate::new()))))
        .route("/panic", get(async || -> () { panic!("on purpose") }))
        .route("/never", get(std::future::pending::<()>))
}

fn torn_and_busy() -> Response {
    let body = Body::new(ScriptedBody::new().data("first").error("torn"));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

#[tokio::test]
async fn a_server_says_what_the_conventions_want() -> Result<()> {
    for (version, number) in BOTH.into_iter().zip(["1.1", "2"]) {
        let vitals = Vitals::new();
        let server = Server::start(app().layer(server(&vitals).build()?)).await?;
        let mut expected = Vec::new();
        for (method, path, said) in [
            ("GET", "/users/7", "GET http /users/{id} 200 -"),
            ("HEAD", "/users/7", "HEAD http /users/{id} 200 -"),
            ("FOOBAR", "/users/7", "_OTHER http /users/{id} 200 -"),
            ("get", "/users/8", "_OTHER http /users/{id} 200 -"),
            ("GET", "/nowhere", "GET http - 404 -"),
            ("GET", "/refused", "GET http /refused 403 -"),
            ("GET", "/broken", "GET http /broken 500 500"),
            ("GET", "/busy", "GET http /busy 503 503"),
            ("GET", "/torn", "GET http /torn 200 failed"),
            ("GET", "/torn/busy", "GET http /torn/busy 503 503"),
            ("GET", "/panic", "GET http /panic - panicked"),
            ("GET", "/never", "GET http /never - aborted"),
            ("GET", "/stream", "GET http /stream 200 aborted"),
        ] {
            let mut client = version.connect(server.addr()).await?;
            let request = Request::builder().method(method).uri(path).body(Empty::new())?;
            let mut exchange = client.start(request).await?;
            match path {
                "/never" => {
                    let in_flight = || active(&vitals);
                    until_eq(LIMIT, owned(&[("GET http", 1)]), in_flight).await?;
                    exchange.cancel();
                }
                "/stream" => drop(exchange.frame().await?),
                _ => drop(exchange.finish().await),
            }
            client.vanish().await;
            expected.push(format!("{said} {number}"));
            until_eq(LIMIT, Numbers::new(), || active(&vitals)).await?;
        }
        let expected = expected.into_iter().fold(Numbers::new(), |mut expected, labels| {
            *expected.entry(labels).or_default() += 1;
            expected
        });
        until_eq(LIMIT, expected, || counts(&vitals, "server")).await?;
    }
    Ok(())
}

/// `http_server_active_requests` by method and scheme, where there are any.
fn active(vitals: &Vitals) -> Numbers {
    let labels = ["http_request_method", "url_scheme"];
    let mut active = family(vitals, "http_server_active_requests", &labels);
    active.retain(|_, count| *count != 0);
    active
}

#[tokio::test]
async fn the_scheme_is_one_of_three_whatever_a_client_writes() -> Result<()> {
    let ask = async |vitals: &Vitals, set: Option<UrlScheme>| -> Result<Numbers> {
        let layer = set.into_iter().fold(server(vitals), MetricsLayerBuilder::url_scheme);
        let server = Server::start(app().layer(layer.build()?)).await?;
        for (target, version) in [
            ("zz9://evil.example/refused", "1.1"),
            ("zz9-1://evil.example/refused", "1.1"),
            ("https://shop.example/refused", "1.1"),
            ("http://shop.example/refused", "1.1"),
            ("/refused", "1.1"),
            ("/refused", "1.0"),
        ] {
            let mut conn = RawConn::connect(server.addr()).await?;
            let request = format!("GET {target} HTTP/{version}\r\nhost: shop.example\r\nconnection: close\r\n\r\n");
            conn.write(request.as_bytes()).await?;
            let answer = String::from_utf8(conn.read_all(LIMIT).await?)?;
            assert!(answer.contains(" 403 "), "{target}: {answer}");
        }
        until_eq(LIMIT, 6, || counts(vitals, "server").values().sum()).await?;
        Ok(counts(vitals, "server"))
    };
    let expected = [
        ("GET _OTHER /refused 403 - 1.1", 2),
        ("GET https /refused 403 - 1.1", 1),
        ("GET http /refused 403 - 1.1", 2),
        ("GET http /refused 403 - 1.0", 1),
    ];
    assert_eq!(ask(&Vitals::new(), None).await?, owned(&expected));
    let expected = [("GET https /refused 403 - 1.1", 5), ("GET https /refused 403 - 1.0", 1)];
    assert_eq!(ask(&Vitals::new(), Some(UrlScheme::Https)).await?, owned(&expected));
    Ok(())
}

/// What no route matched has no route, even when there are more than the label may have.
#[tokio::test]
async fn no_route_is_no_other_route() -> Result<()> {
    let vitals = Vitals::builder().label_budget(3).build()?;
    let app = app().layer(server(&vitals).build()?);
    for path in ["/refused", "/busy", "/broken", "/nowhere"] {
        let response = app.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
        response.into_body().collect().await?;
    }
    let expected = [
        ("GET http /refused 403 - 1.1", 1),
        ("GET http /busy 503 503 1.1", 1),
        ("GET http _other 500 500 1.1", 1),
        ("GET http - 404 - 1.1", 1),
    ];
    assert_eq!(counts(&vitals, "server"), owned(&expected));
    Ok(())
}

/// Answers as the path says, in place of a client's connection.
async fn elsewhere(request: Request<impl http_body::Body>) -> Result<http::Response<ScriptedBody>> {
    let path = request.uri().path().to_owned();
    let _ = request.into_body().collect().await;
    let body = ScriptedBody::new().data("first");
    let status = match &*path {
        "/fails" => return Err("failed".into()),
        "/panics" => panic!("on purpose"),
        "/never" => std::future::pending().await,
        "/torn" => return Ok(http::Response::new(body.error("torn"))),
        status => status[1..].parse::<u16>()?,
    };
    Ok(http::Response::builder().status(status).body(body)?)
}

#[tokio::test]
async fn a_client_says_what_the_conventions_want() -> Result<()> {
    for (target, uri, address) in [
        ("payments:8443", "http://elsewhere.example:1", "payments 8443"),
        ("payments:8443", "https://elsewhere.example", "payments 8443"),
        ("payments", "http://elsewhere.example:1", "payments 80"),
        ("payments", "https://elsewhere.example:1", "payments 443"),
        ("payments", "", "payments 80"),
        ("[::1]:8443", "", "[::1] 8443"),
    ] {
        let vitals = Vitals::new();
        let layer = client(&vitals, target).body_bytes().build()?;
        let service = layer.layer(RequestBodyLayer::new().layer(service_fn(elsewhere)));
        let table = [
            ("GET", "/200", "200 -"),
            ("POST", "/404", "404 404"),
            ("GET", "/500", "500 500"),
            ("GET", "/fails", "- failed"),
            ("GET", "/panics", "- panicked"),
            ("GET", "/never", "- aborted"),
            ("GET", "/torn", "200 failed"),
            ("FOOBAR", "/204", "204 -"),
        ];
        let mut expected = BTreeMap::new();
        for (method, path, said) in table {
            let request = Request::builder().method(method).uri(format!("{uri}{path}"));
            let request = request.body(ScriptedBody::new().data("hello").hides_end())?;
            let sent = service.clone().oneshot(request);
            let sending = tokio::spawn(async move { sent.await?.into_body().collect().await.map(drop) });
            if path == "/never" {
                let in_flight = owned(&[(&format!("GET {address}"), 1)]);
                until_eq(LIMIT, in_flight, || client_active(&vitals)).await?;
                sending.abort();
            }
            let _ = sending.await;
            let method = if method == "FOOBAR" { "_OTHER" } else { method };
            expected.insert(format!("{method} {address} {said} 1.1"), 1);
        }
        until_eq(LIMIT, expected, || counts(&vitals, "client")).await?;
        assert_eq!(client_active(&vitals), Numbers::new());
        let sent = family(&vitals, "http_client_request_body_size_bytes_sum", OF_CLIENT);
        assert_eq!(sent[&format!("POST {address} 404 404 1.1")], 5);
        let received = family(&vitals, "http_client_response_body_size_bytes_sum", OF_CLIENT);
        assert_eq!(received[&format!("POST {address} 404 404 1.1")], 5);
        let text = vitals.encode_to_string(Protocol::TEXT);
        assert!(!text.contains("elsewhere"), "nothing of the URI");
    }
    Ok(())
}

/// `http_client_active_requests` by method, address and port, where there are any.
fn client_active(vitals: &Vitals) -> Numbers {
    let labels = ["http_request_method", "server_address", "server_port"];
    let mut active = family(vitals, "http_client_active_requests", &labels);
    active.retain(|_, count| *count != 0);
    active
}

/// A request does not know yet over which version it goes.
#[tokio::test]
async fn a_client_says_the_version_that_the_server_spoke() -> Result<()> {
    for (version, number) in [(http::Version::HTTP_10, "1.0"), (http::Version::HTTP_2, "2")] {
        let vitals = Vitals::new();
        let answer = service_fn(move |_: Request<Body>| async move {
            let mut response = http::Response::new(Body::from("hello"));
            *response.version_mut() = version;
            Ok::<_, Infallible>(response)
        });
        let service = client(&vitals, "payments").build()?.layer(answer);
        let response = service.oneshot(Request::new(Body::empty())).await?;
        response.into_body().collect().await?;
        let expected = format!("GET payments 80 200 - {number}");
        assert_eq!(counts(&vitals, "client"), owned(&[(&expected, 1)]));
        assert_eq!(client_active(&vitals), Numbers::new());
    }
    Ok(())
}

/// Has something to say in every family that there is.
async fn full(names: Names) -> Result<Vitals> {
    let vitals = Vitals::new();
    vitals.errors()?.with(["on_purpose"]).inc();
    let layer = MetricsLayer::builder(&vitals)
        .names(names)
        .principal_ids(PrincipalIds::new(IdHasher::sha256()))
        .slo("/users/{id}", Slo::new(Duration::from_secs(60)))
        .stream_routes(["/watch"])
        .head_seconds()
        .body_bytes()
        .build()?;
    let watch = async || {
        let user = |user| Principal::new(AuthType::Session).user(user).api_key("k-1");
        assert!(user("alice").record() && user("bob").record());
        Body::new(ScriptedBody::new().data("first").hides_end())
    };
    let app = app().route("/watch", get(watch)).layer(RequestBodyLayer::new()).layer(layer);
    let server = Server::start(app).await?;
    let sender = ClientMetricsLayer::builder(&vitals, "payments").names(names);
    let sender = sender.head_seconds().body_bytes().build()?;
    let sender = sender.layer(RequestBodyLayer::new().layer(service_fn(elsewhere)));
    for version in BOTH {
        let mut client = version.connect(server.addr()).await?;
        client.send(ask("/users/7")).await?;
        client.send(ask("/watch")).await?;
    }
    let call = Request::post("/grpc/Call").header("content-type", "application/grpc");
    Client::http2(server.addr()).await?.send(call.body(Empty::new())?).await?;
    let sent = sender.oneshot(Request::get("/200").body(Body::empty())?).await?;
    sent.into_body().collect().await?;
    Ok(vitals)
}

/// The families of a scrape, by name, and their types.
fn scraped(vitals: &Vitals) -> BTreeMap<String, String> {
    let text = vitals.encode_to_string(Protocol::TEXT);
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[tokio::test]
async fn the_families_are_those_of_the_conventions() -> Result<()> {
    let vitals = full(Names::OpenTelemetry).await?;
    let (catalogue, text) = (vitals.catalogue(), vitals.encode_to_string(Protocol::TEXT));
    for metric in TABLE {
        let family = catalogue
            .iter()
            .find(|family| family.name() == metric.name)
            .ok_or(metric.name)?;
        let labels: Vec<_> = family.labels().iter().map(Label::name).collect();
        assert_eq!((family.kind(), &*labels), (metric.kind, metric.labels), "{}", metric.name);
        let bucket = format!("{}_bucket{{", metric.name);
        let bounds: BTreeSet<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix(&bucket)?.split_once("le=\"")?.1.split_once('"'))
            .map(|(bound, _)| bound.trim_end_matches(".0"))
            .collect();
        assert_eq!(bounds, metric.buckets.iter().copied().collect(), "{}", metric.name);
    }
    for (name, kind) in scraped(&vitals) {
        let name = name.strip_suffix("_total").unwrap_or(&name);
        let of_table = TABLE.iter().find(|metric| metric.name == name);
        let known = of_table.is_some_and(|metric| format!("{:?}", metric.kind).eq_ignore_ascii_case(&kind));
        assert!(known || EXTRA.contains(&name), "{name} {kind}");
    }
    let expected = TABLE.iter().map(|metric| metric.name).chain(EXTRA.iter().copied());
    for family in catalogue.iter().map(Descriptor::name) {
        assert!(expected.clone().any(|name| name == family), "{family}");
    }
    for name in expected.filter(|name| !SILENT.contains(name)) {
        let in_scrape = |scraped: &String| scraped.strip_suffix("_total").unwrap_or(scraped) == name;
        assert!(scraped(&vitals).keys().any(in_scrape), "{name}");
    }
    assert!(!text.contains("\nhttp_requests_total") && !text.contains("\nhttp_request_duration_seconds"));
    Ok(())
}

/// Adding a layer never fails for a name: an application can take none of ours, by either set of names.
#[tokio::test]
async fn every_name_and_label_of_ours_is_kept_free() -> Result<()> {
    for names in [Names::Prometheus, Names::OpenTelemetry] {
        let vitals = full(names).await?;
        for family in vitals.catalogue() {
            let name = family.name();
            if name == "errors" {
                // That one is the application's.
                continue;
            }
            let refused = Vitals::new().counter(name, "Mine").register();
            let error = refused.map(drop).expect_err(name).to_string();
            assert!(
                error.ends_with("is reserved for tower-vitals' own metrics"),
                "{name}: {error}"
            );
            // Many applications have `service` as a constant label already.
            for label in family.labels().iter().filter(|label| label.name() != "service") {
                let built = Vitals::builder().constant_label(label.name(), "mine").build();
                assert!(built.is_err(), "{} of {name}", label.name());
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_applications_labels_go_to_the_durations() -> Result<()> {
    let vitals = Vitals::new();
    let layer = server(&vitals).request_label("tenant", 10, |request| {
        Some(request.headers.get("x-tenant")?.to_str().ok()?.into())
    });
    let app = app().layer(layer.body_bytes().build()?);
    for tenant in ["acme", ""] {
        let request = Request::get("/refused").header("x-tenant", tenant).body(Body::empty())?;
        app.clone().oneshot(request).await?.into_body().collect().await?;
    }
    let labels = [OF_SERVER, &["tenant"]].concat();
    let expected = [("GET http /refused 403 - 1.1 acme", 1), ("GET http /refused 403 - 1.1 -", 1)];
    let durations = family(&vitals, "http_server_request_duration_seconds_count", &labels);
    assert_eq!(durations, owned(&expected));
    let sizes = family(&vitals, "http_server_response_body_size_bytes_count", OF_SERVER);
    assert_eq!(sizes, owned(&[("GET http /refused 403 - 1.1", 2)]));
    Ok(())
}

const VARIABLE: &str = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";

/// What the child process below should find.
const EXPECTED: &str = "TOWER_VITALS_TESTS_EXPECTED_METHODS";

/// Runs a test of this binary with a variable in its environment, which belongs to all threads of a process.
fn in_a_child(test: &str, variable: Option<&str>, expected: &str) -> Result<()> {
    let mut child = Command::new(env::current_exe()?);
    child
        .args(["--exact", test, "--ignored"])
        .env_remove(VARIABLE)
        .env(EXPECTED, expected);
    if let Some(variable) = variable {
        child.env(VARIABLE, variable);
    }
    let output = child.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{variable:?}: {text}");
    Ok(())
}

#[test]
fn the_environment_sets_the_methods_that_are_told_apart() -> Result<()> {
    let child = "child_that_reads_its_environment";
    let usual = "CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE _OTHER";
    in_a_child(child, None, usual)?;
    in_a_child(child, Some(""), usual)?;
    in_a_child(child, Some("GET,PROPFIND"), "GET PROPFIND _OTHER")?;
    in_a_child(child, Some(" PROPFIND ,, GET , _OTHER,GET"), "GET PROPFIND _OTHER")?;
    in_a_child(child, Some("get"), "_OTHER get")?;
    in_a_child(
        child,
        Some("GET,A B"),
        &format!("`http_server_request_duration_seconds`: `{VARIABLE}`: `A B` is not the name of a method"),
    )
}

#[test]
#[ignore = "it is run by another test, in an environment of its own"]
fn child_that_reads_its_environment() {
    let Ok(expected) = env::var(EXPECTED) else {
        return;
    };
    let methods = |builder: MetricsLayerBuilder, vitals: &Vitals, name: &str, labels: &[&str]| match builder.build() {
        Err(error) => error.to_string(),
        Ok(_) => {
            let found = family(vitals, name, labels);
            let found: BTreeSet<_> = found.keys().filter_map(|key| key.split(' ').next()).collect();
            found.into_iter().collect::<Vec<_>>().join(" ")
        }
    };
    let (name, labels) = ("http_server_active_requests", ["http_request_method", "url_scheme"]);
    let vitals = Vitals::new();
    assert_eq!(methods(server(&vitals), &vitals, name, &labels), expected);
    let vitals = Vitals::new();
    let told = server(&vitals).known_methods(["LOCK"]);
    assert_eq!(
        methods(told, &vitals, name, &labels),
        "LOCK _OTHER",
        "the builder goes before it"
    );
    // It is OpenTelemetry's.
    let vitals = Vitals::new();
    let (layer, name) = (MetricsLayer::builder(&vitals), "http_requests_in_flight");
    assert_eq!(methods(layer, &vitals, name, &["method"]).split(' ').count(), 11);
}
