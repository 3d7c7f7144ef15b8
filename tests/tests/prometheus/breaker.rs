//! The lines of PromQL that the READMEs have for circuit breakers.

use std::time::Duration;

use axum::Router;
use libtest_mimic::Failed;
use tests::{
    prometheus::{Prometheus, Target},
    promql::Sample,
    server::Server,
};
use tower_vitals::{
    CircuitBreaker, MetricsRoute, Vitals,
    breaker::{OpenFor, Verdict},
};

/// How long Prometheus may take until it has scraped the last numbers, and the breaker's open time is over.
const SCRAPED: Duration = Duration::from_secs(20);

const OPEN: Duration = Duration::from_secs(3);

const READMES: [&str; 2] = [
    include_str!("../../../README.md"),
    include_str!("../../../crates/tower-vitals-breaker/README.md"),
];

pub(crate) async fn promql() -> Result<(), Failed> {
    let vitals = Vitals::new();
    let breaker = CircuitBreaker::builder("prices")
        .consecutive_failures(1)
        .open_for(OpenFor::constant(OPEN))
        .build(&vitals)?;
    let app = Router::new().route_service("/metrics", MetricsRoute::new(&vitals));
    let server = Server::start(app).await?;
    let target = Target {
        job: "breaker",
        addr: server.addr(),
        path: "/metrics",
    };
    let prometheus = Prometheus::start(&[target]).await?;
    let promql = prometheus.promql();
    let is_there = |samples: &[Sample]| samples.len() == 1;
    promql.until("circuit_breaker_state == 0", SCRAPED, is_there).await?;
    let exprs: Vec<_> = READMES.into_iter().flat_map(exprs).collect();
    assert_eq!(exprs.len(), 6, "{exprs:?}");
    for expr in &exprs {
        let quiet = promql.query(expr).await?;
        assert!(quiet.iter().all(|sample| sample.value == 0.0), "{expr}: {quiet:?}");
    }

    breaker.try_acquire()?.record(Verdict::FAILURE);
    for _ in 0..10 {
        assert!(breaker.try_acquire().is_err());
    }
    let tells = |sample: &Sample| {
        let is = |label, value| sample.labels.get(label).is_none_or(|seen| seen == value);
        sample.value > 0.0
            && is("reason", "consecutive_failures")
            && sample.labels.get("breaker").is_some_and(|it| it == "prices")
    };
    for expr in &exprs {
        promql
            .until(expr, SCRAPED, |samples| {
                samples.iter().filter(|sample| tells(sample)).count() == 1
            })
            .await?;
    }
    Ok(())
}

/// What stands before the explanations in the block about circuit breakers.
fn exprs(readme: &'static str) -> impl Iterator<Item = &'static str> {
    let blocks = readme
        .split("\n```text\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let lines = blocks
        .filter(|block| block.starts_with("max_over_time(circuit_breaker_state"))
        .flat_map(str::lines);
    lines.filter_map(|line| line.split("   ").next())
}
