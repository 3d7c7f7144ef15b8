//! PromQL gives exactly what was sent.

use std::{collections::BTreeMap, time::Duration};

use http::Request;
use http_body_util::Empty;
use libtest_mimic::Failed;
use tests::{
    client::Client,
    prometheus::{Prometheus, Target},
    promql::{PromQl, Sample},
    server::Server,
};
use tower_vitals::{Clock, Vitals};

use crate::{
    app::{App, MIX, WAITS, send_mix, send_waits},
    computed,
};

/// How long Prometheus may take until it has scraped the last numbers.
const SCRAPED: Duration = Duration::from_secs(20);

const JOBS: [&str; 2] = ["any", "text"];

pub(crate) async fn numbers() -> Result<(), Failed> {
    let app = App::default();
    let vitals = Vitals::builder().clock(Clock::manual(&app.clock)).build()?;
    computed::register(&vitals)?;
    let server = Server::start(app.router(&vitals)).await?;
    let target = |job, path| Target {
        job,
        addr: server.addr(),
        path,
    };
    let targets = [target(JOBS[0], "/metrics"), target(JOBS[1], "/metrics-text")];
    let prometheus = Prometheus::start(&targets).await?;
    send_waits(&server).await?;
    send_mix(&server).await?;

    let promql = prometheus.promql();
    for job in JOBS {
        requests(&promql, job).await?;
        durations(&promql, job).await?;
        computed::are_read(&promql, job).await?;
        let in_flight = promql.query(&format!("http_requests_in_flight{{job=\"{job}\"}}")).await?;
        assert!(
            in_flight.iter().all(|sample| sample.value == 0.0) && in_flight.len() == 11,
            "{in_flight:?}"
        );
    }
    same_series(&promql).await?;
    healthy(&promql).await?;
    negotiated(&app, &server).await
}

/// The counts by route, method and status are exactly those that were sent.
async fn requests(promql: &PromQl, job: &str) -> Result<(), Failed> {
    let waits: u32 = WAITS.iter().map(|(_, times)| times).sum();
    let mut expected = BTreeMap::from([(["/wait/{ms}", "GET", "200"].map(String::from), f64::from(waits))]);
    for (method, _, route, status, times) in MIX {
        let method = if *method == "BREW" { "_OTHER" } else { method };
        *expected.entry([route, method, status].map(String::from)).or_default() += f64::from(*times);
    }
    assert!(expected.values().sum::<f64>() >= 2000.0);
    let counts = |samples: &[Sample]| -> BTreeMap<[String; 3], f64> {
        let label = |sample: &Sample, name: &str| sample.labels.get(name).cloned().unwrap_or_default();
        let samples = samples.iter();
        samples
            .map(|s| (["route", "method", "status"].map(|name| label(s, name)), s.value))
            .collect()
    };
    let query = format!("sum by (route, method, status) (http_requests_total{{job=\"{job}\"}})");
    let last = promql.until(&query, SCRAPED, |samples| counts(samples) == expected).await;
    if let Err(error) = last {
        let found = counts(&promql.query(&query).await?);
        return Err(format!("{job}: {error}: expected {expected:?}, found {found:?}").into());
    }
    let others = format!("http_requests_total{{job=\"{job}\",outcome!=\"completed\"}}");
    let others = [others, format!("http_requests_total{{job=\"{job}\",auth_type!=\"none\"}}")];
    for others in others {
        assert_eq!(promql.query(&others).await?, [], "{others}");
    }
    Ok(())
}

/// Every bucket is exact, and so is what PromQL estimates from them.
async fn durations(promql: &PromQl, job: &str) -> Result<(), Failed> {
    let bounds = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000_u64];
    let family = "http_request_duration_seconds";
    let series = format!("{{job=\"{job}\",route=\"/wait/{{ms}}\",method=\"GET\",status_class=\"2xx\"");
    let below = |bound: u64| {
        WAITS
            .iter()
            .filter(|(ms, _)| *ms <= bound)
            .map(|(_, times)| times)
            .sum::<u32>()
    };
    let buckets = promql.query(&format!("{family}_bucket{series}}}")).await?;
    assert_eq!(buckets.len(), bounds.len() + 1);
    for bucket in &buckets {
        let le: f64 = bucket.labels["le"].parse()?;
        let bound = bounds.iter().find(|bound| seconds(**bound).to_bits() == le.to_bits());
        let expected = below(bound.copied().unwrap_or(u64::MAX));
        assert!(bound.is_some() || le == f64::INFINITY, "{bucket:?}");
        assert_eq!(bucket.value.to_bits(), f64::from(expected).to_bits(), "{bucket:?}");
    }
    let total: u64 = WAITS.iter().map(|(ms, times)| ms * u64::from(*times)).sum();
    assert_eq!(promql.scalar(&format!("{family}_sum{series}}}")).await?, Some(seconds(total)));
    assert_eq!(
        promql.scalar(&format!("{family}_count{series}}}")).await?,
        Some(f64::from(below(u64::MAX)))
    );

    let mut sorted: Vec<u64> = WAITS.iter().flat_map(|(ms, times)| vec![*ms; *times as usize]).collect();
    sorted.sort_unstable();
    for (quantile, rank) in [("0.5", sorted.len() / 2), ("0.95", sorted.len() * 95 / 100)] {
        let truth = sorted[rank - 1];
        let upper = bounds
            .iter()
            .copied()
            .find(|bound| *bound >= truth)
            .ok_or("a finite bucket")?;
        let lower = bounds.iter().copied().rev().find(|bound| *bound < truth).unwrap_or(0);
        let estimate = promql
            .scalar(&format!("histogram_quantile({quantile}, {family}_bucket{series}}})"))
            .await?;
        let estimate = estimate.ok_or("there is a quantile")?;
        assert!(
            seconds(lower) <= estimate && estimate <= seconds(upper),
            "{quantile}: {estimate} for {truth} ms"
        );
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // small
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// A series is the same one in both protocols: every label, `le` too, and the value.
async fn same_series(promql: &PromQl) -> Result<(), Failed> {
    let ours = "__name__=~\"(http|upload|vitals)_.*\"";
    let mut found = Vec::new();
    for job in JOBS {
        let mut samples = promql.query(&format!("{{job=\"{job}\",{ours}}}")).await?;
        samples.iter_mut().for_each(|sample| drop(sample.labels.remove("job")));
        samples.sort_by(|a, b| a.labels.cmp(&b.labels));
        found.push(samples);
    }
    assert!(found[0].len() > 200, "{}", found[0].len());
    assert_eq!(found[0], found[1]);
    Ok(())
}

async fn healthy(promql: &PromQl) -> Result<(), Failed> {
    for target in promql.targets().await? {
        assert_eq!((&*target.health, &*target.last_error), ("up", ""), "{target:?}");
    }
    let up = promql.query("min_over_time(up[5m])").await?;
    assert_eq!(up.len(), JOBS.len());
    assert!(up.iter().all(|sample| sample.value == 1.0), "{up:?}");
    let metadata = promql.get("/api/v1/targets/metadata?metric=http_requests").await?;
    let open_metrics = metadata
        .as_array()
        .ok_or("a list")?
        .iter()
        .map(|entry| &entry["target"]["job"]);
    assert_eq!(
        open_metrics.collect::<Vec<_>>(),
        ["any"],
        "OpenMetrics names the family without `_total`"
    );
    Ok(())
}

/// What the real scraper asked for gave OpenMetrics, and text where the route is restricted; asking in its words does too.
async fn negotiated(app: &App, server: &Server) -> Result<(), Failed> {
    let asked = app.asked();
    let paths: Vec<&str> = asked.iter().map(|(path, ..)| &**path).collect();
    assert_eq!(paths, ["/metrics", "/metrics-text"], "{asked:?}");
    for (path, accept, got) in asked {
        let expected = match &*path {
            "/metrics" => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            _ => "text/plain; version=",
        };
        assert!(
            accept.contains("application/openmetrics-text") && got.starts_with(expected),
            "{accept}: {got}"
        );
        for mut client in [Client::http1(server.addr()).await?, Client::http2(server.addr()).await?] {
            let request = Request::get(&path).header("accept", &accept).body(Empty::new())?;
            let answer = client.send(request).await?;
            assert_eq!(answer.header("content-type"), Some(&*got));
            assert_eq!(answer.text()?.ends_with("# EOF\n"), path == "/metrics");
        }
    }
    Ok(())
}
