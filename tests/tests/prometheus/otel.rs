//! In OpenTelemetry's names, Prometheus has the metrics and labels of the semantic conventions, and no others.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::{Router, routing::any};
use http::{Method, Request, StatusCode};
use http_body_util::{Empty, Full};
use hyper_util::{client::legacy, rt::TokioExecutor};
use libtest_mimic::Failed;
use serde_json::Value;
use tests::{
    client::{Client, get},
    prometheus::{Prometheus, Target},
    promql::PromQl,
    server::Server,
    until::until_eq,
};
use tower::{Layer, ServiceExt};
use tower_vitals::{ClientMetricsLayer, MetricsLayer, MetricsRoute, Names, Vitals, encode::Protocol};

/// How long Prometheus may take until it has scraped the last numbers.
const SCRAPED: Duration = Duration::from_secs(20);

/// Metric, type, unit, and labels. `network_protocol_name` is for other protocols than HTTP; all else that is required, or recommended, or
/// that there is under a condition which this traffic meets, is there.
const CONVENTIONS: [(&str, &str, &str, &[&str]); 4] = [
    (
        "http_server_request_duration_seconds",
        "histogram",
        "seconds",
        &[
            "error_type",
            "http_request_method",
            "http_response_status_code",
            "http_route",
            "network_protocol_version",
            "url_scheme",
        ],
    ),
    (
        "http_server_active_requests",
        "gauge",
        "",
        &["http_request_method", "url_scheme"],
    ),
    (
        "http_client_request_duration_seconds",
        "histogram",
        "seconds",
        &[
            "error_type",
            "http_request_method",
            "http_response_status_code",
            "network_protocol_version",
            "server_address",
            "server_port",
        ],
    ),
    (
        "http_client_active_requests",
        "gauge",
        "",
        &["http_request_method", "server_address", "server_port"],
    ),
];

/// The advice of the conventions for durations.
const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Labels as text: method, scheme, route, status, error and version, where they are there.
const SERVED: [&str; 5] = [
    "http_request_method=DELETE http_response_status_code=404 network_protocol_version=1.1 url_scheme=http",
    "error_type=500 http_request_method=GET http_response_status_code=500 http_route=/status/{code} \
     network_protocol_version=2 url_scheme=http",
    "error_type=aborted http_request_method=GET http_route=/never network_protocol_version=1.1 url_scheme=http",
    "http_request_method=GET http_response_status_code=200 http_route=/status/{code} network_protocol_version=1.1 \
     url_scheme=http",
    "http_request_method=_OTHER http_response_status_code=418 http_route=/status/{code} network_protocol_version=2 \
     url_scheme=http",
];

const SENT: [&str; 3] = [
    "error_type=404 http_request_method=GET http_response_status_code=404 network_protocol_version=1.1 \
     server_address=shop server_port=8443",
    "error_type=failed http_request_method=GET network_protocol_version=1.1 server_address=shop server_port=8443",
    "http_request_method=GET http_response_status_code=200 network_protocol_version=1.1 server_address=shop \
     server_port=8443",
];

fn app(vitals: &Vitals) -> Result<Router, Failed> {
    let status = |axum::extract::Path(code): axum::extract::Path<u16>| async move {
        StatusCode::from_u16(code).unwrap_or(StatusCode::IM_A_TEAPOT)
    };
    let layer = MetricsLayer::builder(vitals).names(Names::OpenTelemetry).build()?;
    Ok(Router::new()
        .route("/status/{code}", any(status))
        .route("/never", any(std::future::pending::<()>))
        .layer(layer)
        .route_service("/metrics", MetricsRoute::new(vitals)))
}

/// Each kind that is told apart, once.
async fn send(vitals: &Vitals, server: &Server) -> Result<(), Failed> {
    let mut http1 = Client::http1(server.addr()).await?;
    let mut http2 = Client::http2(server.addr()).await?;
    http1.send(get("/status/200")).await?;
    let delete = Request::delete("/nowhere").body(Empty::new())?;
    http1.send(delete).await?;
    http2.send(get("/status/500")).await?;
    let brew = Request::builder().method("BREW").uri("/status/418").body(Empty::new())?;
    http2.send(brew).await?;
    let never = Client::http1(server.addr()).await?.start(get("/never")).await?;
    let line = "http_server_active_requests{http_request_method=\"GET\",url_scheme=\"http\"} 1\n";
    let arrived = || vitals.encode_to_string(Protocol::TEXT).contains(line);
    until_eq(SCRAPED, true, arrived).await?;
    never.vanish().await;
    Ok(())
}

/// To another server, which nobody counts, and to nobody.
async fn send_out(vitals: &Vitals) -> Result<(), Failed> {
    let layer = ClientMetricsLayer::builder(vitals, "shop:8443").names(Names::OpenTelemetry);
    let client = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let client = layer.build()?.layer(client);
    let status = async |request: Request<_>| {
        let _: Request<hyper::body::Incoming> = request;
        let mut response = http::Response::new(String::new());
        if request.uri().path() == "/404" {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        response
    };
    let server = Server::start_fn(status).await?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let nobody = taken.local_addr()?;
    drop(taken);
    for uri in [
        format!("http://{}/200", server.addr()),
        format!("http://{}/404", server.addr()),
        format!("http://{nobody}/"),
    ] {
        let request = Request::builder().method(Method::GET).uri(uri).body(Full::default())?;
        // How it goes is in the numbers.
        let _ = client.clone().oneshot(request).await;
    }
    Ok(())
}

pub(crate) async fn names() -> Result<(), Failed> {
    let vitals = Vitals::new();
    let server = Server::start(app(&vitals)?).await?;
    let target = Target {
        job: "otel",
        addr: server.addr(),
        path: "/metrics",
    };
    let prometheus = Prometheus::start(&[target]).await?;
    send(&vitals, &server).await?;
    send_out(&vitals).await?;
    let promql = prometheus.promql();
    let counted = |side: &str, kinds: usize| (format!("count(http_{side}_request_duration_seconds_count)"), kinds);
    for (query, kinds) in [counted("server", SERVED.len()), counted("client", SENT.len())] {
        let kinds = f64::from(u32::try_from(kinds)?);
        let is_all = |samples: &[tests::promql::Sample]| samples.iter().any(|sample| sample.value >= kinds);
        promql.until(&query, SCRAPED, is_all).await?;
    }
    metrics(&promql).await?;
    labels(&promql).await?;
    kinds(&promql).await
}

/// All of ours that have samples are those of the conventions, each of the right type.
async fn metrics(promql: &PromQl) -> Result<(), Failed> {
    let names = promql.get("/api/v1/label/__name__/values").await?;
    let names = strings(&names)?.into_iter().filter(|name| name.starts_with("http_"));
    let mut expected = BTreeSet::new();
    for (metric, kind, unit, _) in CONVENTIONS {
        match kind {
            "histogram" => expected.extend(["bucket", "count", "sum"].map(|end| format!("{metric}_{end}"))),
            _ => drop(expected.insert(metric.to_owned())),
        }
        let metadata = promql.get(&format!("/api/v1/metadata?metric={metric}")).await?;
        let found: Vec<_> = metadata[metric].as_array().into_iter().flatten().collect();
        assert_eq!(found.len(), 1, "{metadata}");
        assert_eq!(
            (&found[0]["type"], &found[0]["unit"]),
            (&kind.into(), &unit.into()),
            "{metric}"
        );
    }
    assert_eq!(names.collect::<BTreeSet<_>>(), expected);
    Ok(())
}

async fn labels(promql: &PromQl) -> Result<(), Failed> {
    for (metric, kind, _, labels) in CONVENTIONS {
        let series = match kind {
            "histogram" => format!("{metric}_bucket"),
            _ => metric.to_owned(),
        };
        let found = promql.get(&format!("/api/v1/labels?match%5B%5D={series}")).await?;
        let of_prometheus = ["__name__", "instance", "job", "le"];
        let found = strings(&found)?.into_iter().filter(|name| !of_prometheus.contains(&&**name));
        assert_eq!(found.collect::<Vec<_>>(), labels, "{metric}");
    }
    for side in ["server", "client"] {
        let metric = format!("http_{side}_request_duration_seconds_bucket");
        let bounds = promql.get(&format!("/api/v1/label/le/values?match%5B%5D={metric}")).await?;
        let mut bounds: Vec<f64> = strings(&bounds)?
            .iter()
            .map(|bound| bound.parse())
            .collect::<Result<_, _>>()?;
        bounds.sort_by(f64::total_cmp);
        assert_eq!(bounds.pop(), Some(f64::INFINITY));
        assert_eq!(bounds, BOUNDS, "{side}");
    }
    Ok(())
}

/// Each kind of request has the labels that it should, and none that would say nothing.
async fn kinds(promql: &PromQl) -> Result<(), Failed> {
    for (side, expected) in [("server", &SERVED[..]), ("client", &SENT[..])] {
        let metric = format!("http_{side}_request_duration_seconds_count");
        let series = promql.get(&format!("/api/v1/series?match%5B%5D={metric}")).await?;
        let mut found = BTreeSet::new();
        for series in series.as_array().ok_or("a list")? {
            let mut labels: BTreeMap<String, String> = serde_json::from_value(series.clone())?;
            labels.retain(|name, _| !["__name__", "instance", "job"].contains(&&**name));
            let labels = labels.iter().map(|(name, value)| format!("{name}={value}"));
            found.insert(labels.collect::<Vec<_>>().join(" "));
        }
        assert_eq!(found, expected.iter().map(|labels| (*labels).to_owned()).collect());
    }
    Ok(())
}

fn strings(list: &Value) -> Result<Vec<String>, Failed> {
    let list = list.as_array().ok_or("a list")?.iter();
    Ok(list.filter_map(Value::as_str).map(str::to_owned).collect())
}
