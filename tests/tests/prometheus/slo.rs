//! The line of PromQL that the README has for apdex.

use std::{collections::BTreeMap, time::Duration};

use axum::{Router, extract::Path, routing::get};
use libtest_mimic::Failed;
use tests::{
    client::{Client, get as get_request},
    prometheus::{Prometheus, Target},
    promql::{PromQl, Sample},
    server::Server,
};
use tower_vitals::{Clock, ManualClock, MetricsLayer, MetricsRoute, Slo, Vitals};

/// How long Prometheus may take until it has scraped the last numbers.
const SCRAPED: Duration = Duration::from_secs(20);

/// Milliseconds, the verdict on them under an objective of 100 ms, and how many requests are sent before Prometheus starts, and after.
const SENT: [(u64, &str, u32, u32); 3] = [(100, "good", 100, 60), (400, "tolerable", 100, 30), (401, "bad", 100, 10)];

pub(crate) async fn apdex() -> Result<(), Failed> {
    let clock = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&clock)).build()?;
    let wait = move |Path(ms): Path<u64>| {
        clock.advance(Duration::from_millis(ms));
        std::future::ready("waited")
    };
    let layer = MetricsLayer::builder(&vitals).slo("/wait/*", Slo::new(Duration::from_millis(100)));
    let app = Router::new()
        .route("/wait/{ms}", get(wait))
        .layer(layer.build()?)
        .route_service("/metrics", MetricsRoute::new(&vitals));
    let server = Server::start(app).await?;
    send(&server, |(ms, _, before, _)| (ms, before)).await?;
    let target = Target {
        job: "slo",
        addr: server.addr(),
        path: "/metrics",
    };
    let prometheus = Prometheus::start(&[target]).await?;
    let promql = prometheus.promql();
    counts(&promql, |(_, verdict, before, _)| (verdict, before)).await?;
    send(&server, |(ms, _, _, after)| (ms, after)).await?;
    counts(&promql, |(_, verdict, before, after)| (verdict, before + after)).await?;

    let readme = include_str!("../../../README.md");
    let line = readme.split("Apdex, from 0 to 1:\n\n```text\n").nth(1);
    let line = line
        .and_then(|rest| rest.split("```").next())
        .ok_or("the README has the line")?;
    let found = promql.query(line).await?;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].labels.get("route").map(String::as_str), Some("/wait/{ms}"));
    let expected = (60.0 + 30.0 / 2.0) / 100.0;
    assert!((found[0].value - expected).abs() < 1e-6, "{found:?}");
    Ok(())
}

async fn send(server: &Server, of: impl Fn((u64, &str, u32, u32)) -> (u64, u32)) -> Result<(), Failed> {
    let mut client = Client::http1(server.addr()).await?;
    for (ms, times) in SENT.map(of) {
        for _ in 0..times {
            let answer = client.send(get_request(&format!("/wait/{ms}"))).await?;
            assert_eq!(answer.text()?, "waited");
        }
    }
    Ok(())
}

/// Waits until Prometheus has these counts.
async fn counts(promql: &PromQl, of: impl Fn((u64, &'static str, u32, u32)) -> (&'static str, u32)) -> Result<(), Failed> {
    let expected: BTreeMap<_, _> = SENT
        .map(of)
        .map(|(verdict, count)| (verdict.to_owned(), f64::from(count)))
        .into();
    let by_verdict = |sample: &Sample| (sample.labels.get("verdict").cloned().unwrap_or_default(), sample.value);
    let is_expected = |samples: &[Sample]| samples.iter().map(by_verdict).collect::<BTreeMap<_, _>>() == expected;
    promql.until("http_slo_requests_total", SCRAPED, is_expected).await?;
    Ok(())
}
