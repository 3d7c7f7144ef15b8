//! Label values that try to break a scrape, and an attached registry, before a real Prometheus.

use std::{collections::BTreeMap, time::Duration};

use libtest_mimic::Failed;
use prometheus_client::{
    encoding::{EncodeLabelSet, LabelSetEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tests::{
    prometheus::{Prometheus, Target},
    promql::PromQl,
    server::Server,
};
use tower_vitals::{MetricsRoute, ProtocolKind, Vitals, prometheus};

/// How long Prometheus may take until it has scraped.
const SCRAPED: Duration = Duration::from_secs(20);

const JOBS: [&str; 2] = ["any", "text"];

const VALUES: &[&str] = &[
    "plain",
    "\"",
    "\\",
    "\\\"",
    "a\nb",
    "\\n",
    "\r\n\t",
    "a\0b",
    "\0",
    " ",
    "{",
    "}",
    "{a=\"b\"} 1",
    "\"} 7\nhostile_total{value=\"forged",
    "\n# HELP hostile_total forged\n# TYPE hostile_total gauge\n",
    "# EOF\n",
    ",le=\"5\"",
    "# {trace=\"x\"} 1",
    "🦀 é \u{10ffff}",
    "\u{fffd}\u{feff}\u{85}\u{2028}",
    "",
];

/// One server of each protocol, and a Prometheus that scrapes both.
struct Scraped {
    prometheus: Prometheus,
    _servers: [Server; 2],
}

impl Scraped {
    async fn start(vitals: &Vitals) -> Result<Self, Failed> {
        let servers = [
            Server::start(MetricsRoute::new(vitals).protocols([ProtocolKind::OpenMetrics])).await?,
            Server::start(MetricsRoute::new(vitals).protocols([ProtocolKind::Text])).await?,
        ];
        let target = |(job, server): (&'static str, &Server)| Target {
            job,
            addr: server.addr(),
            path: "/",
        };
        let targets: Vec<_> = JOBS.into_iter().zip(&servers).map(target).collect();
        Ok(Self {
            prometheus: Prometheus::start(&targets).await?,
            _servers: servers,
        })
    }

    /// Both targets are up, and were in every scrape.
    async fn check(&self) -> Result<(), Failed> {
        let up = "count(min_over_time(up[5m]) == 1) == 2";
        let promql = self.prometheus.promql();
        promql.until(up, SCRAPED, |up| !up.is_empty()).await?;
        for target in promql.targets().await? {
            assert_eq!((&*target.health, &*target.last_error), ("up", ""), "{target:?}");
        }
        Ok(())
    }
}

/// As a string in PromQL, which knows the escapes of Go.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|char| format!("\\U{:08x}", u32::from(char)));
    format!("\"{}\"", escaped.collect::<String>())
}

pub(crate) async fn hostile() -> Result<(), Failed> {
    let long = [
        "x".repeat(10_000),
        "é".repeat(5000),
        "\"\n\\".repeat(4000),
        "a".to_owned() + &"\0🦀".repeat(2000),
    ];
    let cut = |text: &str| -> String {
        let ends = text.char_indices().map(|(at, char)| (at + char.len_utf8(), char));
        ends.take_while(|(end, _)| *end <= 1024).map(|(_, char)| char).collect()
    };
    let raw = VALUES.iter().copied().chain(long.iter().map(String::as_str));
    let expected: BTreeMap<String, f64> = (1_u32..)
        .zip(raw.clone())
        .map(|(number, value)| (cut(value).replace('\0', "\u{fffd}"), number.into()))
        .collect();

    let help = "Help with \"quotes\", \\n, \n# EOF\nand {a=\"b\"} 🦀";
    let vitals = Vitals::builder().constant_label("service", VALUES[13]).build()?;
    let counters = vitals.counter("hostile", help).labels(["value"])?;
    let histograms = vitals.histogram("hostile_size", help).buckets([1.0]).labels(["value"])?;
    for (number, value) in (1..).zip(raw) {
        counters.with([value]).inc_by(number);
        histograms.with([value]).observe(0.5);
    }
    assert_eq!(counters.len(), expected.len());
    let scraped = Scraped::start(&vitals).await?;
    scraped.check().await?;
    let promql = scraped.prometheus.promql();
    for job in JOBS {
        let label = |sample: &tests::promql::Sample, name: &str| sample.labels.get(name).cloned().unwrap_or_default();
        let all = promql.query(&format!("hostile_total{{job=\"{job}\"}}")).await?;
        assert!(all.iter().all(|sample| label(sample, "service") == VALUES[13]));
        let found: BTreeMap<_, _> = all.iter().map(|sample| (label(sample, "value"), sample.value)).collect();
        assert_eq!((found, all.len()), (expected.clone(), expected.len()), "{job}");
        for (value, number) in &expected {
            let matching = format!("{{job=\"{job}\",value={}}}", quoted(value));
            assert_eq!(
                promql.scalar(&format!("hostile_total{matching}")).await?,
                Some(*number),
                "{value:?}"
            );
            assert_eq!(
                promql.scalar(&format!("hostile_size_count{matching}")).await?,
                Some(1.0),
                "{value:?}"
            );
        }
        // What 0.0.4 calls by its sample, OpenMetrics calls by its family.
        let family = if job == "text" { "hostile_total" } else { "hostile" };
        assert_eq!(help_of(&promql, job, family).await?, help);
    }
    Ok(())
}

/// The help that Prometheus read from a target.
async fn help_of(promql: &PromQl, job: &str, family: &str) -> Result<String, Failed> {
    let metadata = promql.get(&format!("/api/v1/targets/metadata?metric={family}")).await?;
    let entries = metadata.as_array().ok_or("a list")?;
    let entry = entries.iter().find(|entry| entry["target"]["job"] == job);
    let help = entry.and_then(|entry| entry["help"].as_str());
    Ok(help.ok_or_else(|| format!("{job} has help: {metadata}"))?.to_owned())
}

/// A label of the application's own metrics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Queue(String);

impl EncodeLabelSet for Queue {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [("queue", self.0.as_str())].encode(encoder)
    }
}

pub(crate) async fn attached() -> Result<(), Failed> {
    let mut registry = Registry::with_prefix("app");
    let jobs = Family::<Queue, Counter>::default();
    let depth: Gauge = Gauge::default();
    let waits = Histogram::new([0.5, 2.0]);
    registry.register("jobs", "Jobs \"run\"\nor not", jobs.clone());
    registry.register("depth", "Jobs that wait", depth.clone());
    registry.register_with_unit("wait", "Waiting times", Unit::Seconds, waits.clone());

    let vitals = Vitals::new();
    vitals.gauge("ours", "One of ours").register()?.set(1);
    prometheus::attach(&vitals, registry)?;
    for (number, value) in (1..).zip(VALUES) {
        jobs.get_or_create(&Queue((*value).to_owned())).inc_by(number);
    }
    depth.set(-7);
    [0.25, 1.0, 3.0].into_iter().for_each(|wait| waits.observe(wait));

    let scraped = Scraped::start(&vitals).await?;
    scraped.check().await?;
    let promql = scraped.prometheus.promql();
    let expected: f64 = (1..=u32::try_from(VALUES.len())?).map(f64::from).sum();
    for job in JOBS {
        let of_job = format!("job=\"{job}\"");
        for (expr, value) in [
            (format!("ours{{{of_job}}}"), 1.0),
            (format!("app_depth{{{of_job}}}"), -7.0),
            (format!("sum(app_jobs_total{{{of_job}}})"), expected),
            (format!("app_jobs_total{{{of_job},queue={}}}", quoted("a\nb")), 5.0),
            (format!("app_wait_seconds_bucket{{{of_job},le=\"0.5\"}}"), 1.0),
            (format!("app_wait_seconds_bucket{{{of_job},le=\"2.0\"}}"), 2.0),
            (format!("app_wait_seconds_bucket{{{of_job},le=\"+Inf\"}}"), 3.0),
            (format!("app_wait_seconds_count{{{of_job}}}"), 3.0),
            (format!("app_wait_seconds_sum{{{of_job}}}"), 4.25),
        ] {
            assert_eq!(promql.scalar(&expr).await?, Some(value), "{expr}");
        }
        let family = if job == "text" { "app_jobs_total" } else { "app_jobs" };
        // prometheus-client ends help in a full stop.
        assert_eq!(help_of(&promql, job, family).await?, "Jobs \"run\"\nor not.");
    }
    assert_eq!(promql.query("sum(vitals_attachment_errors_total) > 0").await?, []);
    Ok(())
}
