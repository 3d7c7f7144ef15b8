//! Which labels a request gets.

mod http_common;

use std::convert::Infallible;
use std::future::ready;

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use http::{Request, Response, StatusCode};
use http_common::{BOTH, Seen, Version, counts_four, numbers};
use tests::Result;
use tests::server::Server;
use tower::{Layer, ServiceExt, service_fn};
use tower_vitals::{MetricsLayer, Vitals, encode::Protocol, tag_route};

async fn hello() -> &'static str {
    "hello"
}

/// Sends `method path` to the router, without a server.
async fn send(app: &Router, method: &str, path: &str) -> Result<StatusCode> {
    let request = Request::builder().method(method).uri(path).body(Body::empty())?;
    let response = app.clone().oneshot(request).await?;
    let status = response.status();
    axum::body::to_bytes(response.into_body(), usize::MAX).await?;
    Ok(status)
}

/// Sends GETs, and tells which routes they were counted under: every request
/// completed with 200, unless the list says otherwise.
async fn counted_as(app: &Router, vitals: &Vitals, paths: &[(&str, &str)]) -> Result<()> {
    let mut expected = Seen::default();
    for (path, counted) in paths {
        let status = send(app, "GET", path).await?.as_u16();
        *expected
            .requests
            .entry(format!("GET {counted} {status} none completed"))
            .or_default() += 1;
        let class = format!("GET {counted} {}xx", status / 100);
        *expected.durations.entry(class).or_default() += 1;
        assert_eq!(Seen::of(vitals), expected, "after {path}");
    }
    Ok(())
}

#[tokio::test]
async fn nested_routers_give_the_full_template() -> Result<()> {
    let vitals = Vitals::new();
    let inner = Router::new().route("/x/{id}", get(hello)).route("/{*rest}", get(hello));
    let app = Router::new()
        .route("/", get(hello))
        .nest("/shop/{country}", Router::new().nest("/cart", inner))
        .layer(MetricsLayer::new(&vitals));
    let paths = [
        ("/", "/"),
        ("/shop/nz/cart/x/7", "/shop/{country}/cart/x/{id}"),
        ("/shop/de/cart/x/8?id=9", "/shop/{country}/cart/x/{id}"),
        ("/shop/nz/cart/a/b/c", "/shop/{country}/cart/{*rest}"),
        ("/shop/nz", "_unmatched"),
        ("/other", "_unmatched"),
    ];
    counted_as(&app, &vitals, &paths).await
}

#[tokio::test]
async fn nest_service_and_fallback_have_the_route_that_they_tag() -> Result<()> {
    let vitals = Vitals::new();
    let files = |tag: bool| {
        service_fn(move |_: Request<Body>| {
            assert!(!tag || tag_route("/tagged/{*file}"));
            ready(Ok::<_, Infallible>(Response::new(Body::from("file"))))
        })
    };
    let fallback = async |uri: http::Uri| {
        if uri.path().starts_with("/old/") {
            tag_route("/old/{id}");
            return StatusCode::GONE;
        }
        StatusCode::NOT_FOUND
    };
    let app = Router::new()
        .nest_service("/files", files(false))
        .nest_service("/tagged", files(true))
        .fallback(fallback)
        .layer(MetricsLayer::new(&vitals));
    let paths = [
        ("/files/a", "_unmatched"),
        ("/tagged/a", "/tagged/{*file}"),
        ("/tagged/b/c", "/tagged/{*file}"),
        ("/old/1", "/old/{id}"),
        ("/nothing", "_unmatched"),
    ];
    counted_as(&app, &vitals, &paths).await
}

#[tokio::test]
async fn a_tag_goes_before_the_template_and_the_last_one_counts() -> Result<()> {
    let vitals = Vitals::new();
    let tagging = async |uri: http::Uri| {
        tag_route("/first");
        tokio::task::yield_now().await;
        tag_route(if uri.path() == "/rpc/a" { "/rpc/a" } else { "/rpc/other" });
    };
    let app = Router::new()
        .route("/rpc/{method}", get(tagging))
        .route("/plain/{id}", get(hello))
        .layer(MetricsLayer::new(&vitals));
    let paths = [("/rpc/a", "/rpc/a"), ("/rpc/b", "/rpc/other"), ("/plain/1", "/plain/{id}")];
    counted_as(&app, &vitals, &paths).await?;
    assert!(!tag_route("/outside"));
    Ok(())
}

#[tokio::test]
async fn methods_make_no_new_values() -> Result<()> {
    let vitals = Vitals::new();
    let app = Router::new()
        .route("/get", get(hello))
        .route("/any/{id}", any(hello))
        .layer(MetricsLayer::new(&vitals));
    let server = Server::start(app).await?;
    for version in BOTH {
        for method in ["FOO", "get", "_OTHER", "PROPFIND", "DELETE"] {
            for path in ["/get", "/any/7", "/nothing"] {
                version.ask_twice(server.addr(), method, path, "").await?;
            }
        }
    }
    let requests = [
        ("_OTHER /get 405 none completed", 16),
        ("_OTHER /any/{id} 200 none completed", 16),
        ("_OTHER _unmatched 404 none completed", 16),
        ("DELETE /get 405 none completed", 4),
        ("DELETE /any/{id} 200 none completed", 4),
        ("DELETE _unmatched 404 none completed", 4),
    ];
    let durations = [
        ("_OTHER /get 4xx", 16),
        ("_OTHER /any/{id} 2xx", 16),
        ("_OTHER _unmatched 4xx", 16),
        ("DELETE /get 4xx", 4),
        ("DELETE /any/{id} 2xx", 4),
        ("DELETE _unmatched 4xx", 4),
    ];
    Seen::ended(&requests, &durations).settles(&vitals).await
}

#[tokio::test]
async fn a_hyper_server_has_the_routes_that_it_tells() -> Result<()> {
    let vitals = Vitals::new();
    let layer = MetricsLayer::builder(&vitals).route_with(|request| {
        let (kind, id) = request.uri.path().strip_prefix('/')?.split_once('/')?;
        match kind {
            "users" if !id.is_empty() => Some("/users/{id}".into()),
            "carts" => Some("/carts/{id}".into()),
            _ => None,
        }
    });
    let service = service_fn(|_: Request<_>| ready(Ok::<_, Infallible>(Response::new(Body::from("user")))));
    let server = Server::start(layer.build()?.layer(service)).await?;
    counts_four(&server, &[&vitals], "/users/7", "/users/{id}", 200).await?;
    for path in ["/users/", "/carts/1", "/users/8"] {
        Version::Http1.ask_twice(server.addr(), "GET", path, "").await?;
    }
    let requests = [
        ("GET /users/{id} 200 none completed", 6),
        ("GET /carts/{id} 200 none completed", 2),
        ("GET _unmatched 200 none completed", 2),
    ];
    let durations = [
        ("GET /users/{id} 2xx", 6),
        ("GET /carts/{id} 2xx", 2),
        ("GET _unmatched 2xx", 2),
    ];
    Seen::ended(&requests, &durations).settles(&vitals).await
}

#[tokio::test]
async fn raw_paths_as_routes_are_bounded_by_the_budget() -> Result<()> {
    const BUDGET: usize = 10;
    let vitals = Vitals::builder().label_budget(BUDGET).build()?;
    let raw = MetricsLayer::builder(&vitals).route_with(|request| {
        let path = request.uri.path();
        (path != "/unmatched").then(|| path.to_owned().into())
    });
    let app = Router::new().fallback(hello).layer(raw.build()?);
    for _ in 0..2 {
        for n in 0..50 {
            send(&app, "GET", &format!("/{n}")).await?;
        }
    }
    send(&app, "GET", "/unmatched").await?;
    // `_unmatched` has its place from the start, so the paths have one less.
    let seen = Seen::of(&vitals);
    assert_eq!((seen.total(), seen.requests.len()), (101, BUDGET + 1));
    assert_eq!(seen.requests["GET /0 200 none completed"], 2);
    assert_eq!(seen.requests["GET _unmatched 200 none completed"], 1);
    assert_eq!(seen.requests["GET _other 200 none completed"], 82);
    assert_eq!(seen.durations.values().sum::<u64>(), 101);
    assert_eq!((seen.durations.len(), seen.durations["GET _other 2xx"]), (BUDGET + 1, 82));
    let text = vitals.encode_to_string(Protocol::TEXT);
    let overflow = numbers(&text, "vitals_label_overflow_total", &["family", "label"]);
    assert_eq!(overflow, [("http_requests_total route".to_owned(), 82)].into());
    Ok(())
}

#[tokio::test]
async fn auth_types_are_seen() -> Result<()> {
    let vitals = Vitals::new();
    let app = Router::new().route("/", get(hello)).layer(MetricsLayer::new(&vitals));
    let server = Server::start(app).await?;
    let headers = [
        ("", "none"),
        ("authorization: Basic dXNlcjpwYXNz\r\n", "basic"),
        ("authorization: Bearer opaque\r\n", "bearer"),
        ("authorization: Bearer aGVhZA.cGF5bG9hZA.c2ln\r\n", "jwt"),
        ("authorization: Digest username=x\r\n", "other"),
        ("x-api-key: k-1\r\n", "api_key"),
        ("cookie: session=1\r\n", "none"),
    ];
    let mut expected = Seen::ended(&[], &[("GET / 2xx", 28)]);
    for (header, auth_type) in headers {
        for version in BOTH {
            version.ask_twice(server.addr(), "GET", "/", header).await?;
        }
        let counted = format!("GET / 200 {auth_type} completed");
        *expected.requests.entry(counted).or_default() += 4;
    }
    expected.settles(&vitals).await?;
    let text = vitals.encode_to_string(Protocol::TEXT);
    for secret in ["opaque", "cGF5bG9hZA", "dXNlcjpwYXNz", "k-1", "session"] {
        assert!(!text.contains(secret), "{secret}");
    }
    Ok(())
}

#[test]
fn bad_buckets_are_named() {
    let vitals = Vitals::new();
    for (bad, culprit) in [
        (&[0.1, 0.1][..], "0.1"),
        (&[0.2, 0.1], "0.1 comes after 0.2"),
        (&[f64::NAN, 1.0], "NaN"),
        (&[f64::INFINITY, 1.0], "inf"),
        (&[f64::NEG_INFINITY, 1.0], "-inf"),
        (&[-1.0, 1.0], "-1"),
    ] {
        let error = MetricsLayer::builder(&vitals).duration_buckets(bad).build();
        let error = error.expect_err("it is refused").to_string();
        assert!(error.contains("http_request_duration_seconds"), "{bad:?}: {error}");
        assert!(error.contains(culprit), "{bad:?}: {error}");
    }
    // What was refused left nothing behind.
    assert!(MetricsLayer::builder(&vitals).duration_buckets([0.1, 1.0]).build().is_ok());
}

#[tokio::test]
async fn layers_of_one_vitals_have_one_set_of_buckets() -> Result<()> {
    let vitals = Vitals::new();
    let layer = MetricsLayer::builder(&vitals).duration_buckets([0.1, 1.0]).build()?;
    MetricsLayer::builder(&vitals).duration_buckets([0.1, 1.0]).build()?;
    MetricsLayer::builder(&vitals).build()?;
    let other = MetricsLayer::builder(&vitals).duration_buckets([0.1, 2.0]).build();
    let error = other.expect_err("it is refused").to_string();
    assert!(error.contains("[0.1, 1.0]") && error.contains("[0.1, 2.0]"), "{error}");

    let app = Router::new().route("/a", get(hello)).layer(layer);
    let app = app.route("/b", get(hello)).layer(MetricsLayer::new(&vitals));
    send(&app, "GET", "/a").await?;
    send(&app, "GET", "/b").await?;
    let text = vitals.encode_to_string(Protocol::TEXT);
    let buckets = numbers(
        &text,
        "http_request_duration_seconds_bucket",
        &["route", "le", "method", "status_class"],
    );
    let bounds: Vec<_> = buckets.keys().filter_map(|key| key.split(' ').nth(1)).collect();
    assert_eq!(bounds.len(), 6, "{bounds:?}");
    assert!(bounds.iter().all(|le| ["0.1", "1.0", "1", "+Inf"].contains(le)), "{bounds:?}");
    Ok(())
}

#[tokio::test]
async fn statuses_are_not_of_the_budget_of_labels() -> Result<()> {
    let vitals = Vitals::builder().label_budget(2).build()?;
    let status = |request: Request<Body>| {
        let code = request.uri().path().trim_start_matches('/').parse().unwrap_or(500);
        ready(StatusCode::from_u16(code).unwrap_or_default())
    };
    let app = Router::new().fallback(status).layer(MetricsLayer::new(&vitals));
    for code in [200, 202, 404, 503] {
        send(&app, "GET", &format!("/{code}")).await?;
    }
    let seen = Seen::of(&vitals);
    for code in [200, 202, 404, 503] {
        assert_eq!(seen.requests[&format!("GET _unmatched {code} none completed")], 1);
    }
    Ok(())
}
