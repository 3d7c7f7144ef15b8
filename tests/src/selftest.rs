//! Trials of this library itself, for a target without the standard harness:
//! they need outside programs, and the standard harness cannot ignore a test
//! while it runs.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use libtest_mimic::{Failed, Trial};

use crate::Result;
use crate::parser::Parser;
use crate::prometheus::{Prometheus, Target, promtool_check_metrics};
use crate::required::Need::{self, PythonClient};
use crate::required::{trial, trial_async};
use crate::server::Server;

const LIMIT: Duration = Duration::from_secs(60);

/// How long Prometheus may take until it has scraped.
const SCRAPED: Duration = Duration::from_secs(20);

const OPENMETRICS: &str = r#"# TYPE page_hits counter
# UNIT page_hits hits
# HELP page_hits With \"quotes\" and \\.
page_hits_total{path="a\"b\\c\nd} # {"} 1.0 # {trace="x"} 0.5 1.5
# TYPE wide gauge
wide{of="nan"} NaN
wide{of="inf"} +Inf
wide{of="small"} 5e-324
# EOF
"#;

const TEXT: &str = "# HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total{a=\"1\"} 3\n";

const DURATIONS: &str = r#"# TYPE d_seconds histogram
d_seconds_bucket{le="0.5"} 2
d_seconds_bucket{le="+Inf"} 1
d_seconds_sum 1
d_seconds_count 1
"#;

/// All of them.
#[must_use]
pub fn trials() -> Vec<Trial> {
    let limit = LIMIT;
    let prometheus = [Need::Prometheus];
    vec![
        trial("support::parser_reads", &[PythonClient], parser_reads),
        trial("support::parser_refuses", &[PythonClient], parser_refuses),
        trial("support::parser_is_quick", &[PythonClient], parser_is_quick),
        trial("support::promtool", &[Need::Promtool], promtool),
        trial_async("support::prometheus", &prometheus, limit, scrapes),
        trial_async("support::prometheus_flag", &prometheus, limit, bad_flag),
    ]
}

fn parser_reads() -> Result<(), Failed> {
    let parser = Parser::start()?;
    let found = parser.openmetrics(OPENMETRICS)?;
    let hits = found.family("page_hits_total").ok_or("there are hits")?;
    assert_eq!((&*hits.kind, &*hits.unit), ("counter", "hits"));
    assert_eq!(hits.help, "With \"quotes\" and \\.");
    assert_eq!(hits.samples[0].label("path"), Some("a\"b\\c\nd} # {"));
    let exemplar = hits.samples[0].exemplar.as_ref();
    let exemplar = exemplar.ok_or("there is an exemplar")?;
    assert_eq!(exemplar.labels["trace"], "x");
    assert_eq!((exemplar.value, exemplar.timestamp), (0.5, Some(1.5)));
    let wide = |of| found.value("wide", &[("of", of)]);
    assert!(wide("nan").is_some_and(f64::is_nan));
    assert_eq!(wide("inf"), Some(f64::INFINITY));
    assert_eq!(wide("small"), Some(5e-324));

    let found = parser.text(TEXT)?;
    assert_eq!(found.value("hits_total", &[("a", "1")]), Some(3.0));
    let broken = parser.text(DURATIONS)?.check_histograms();
    let broken = broken.expect_err("it is broken");
    assert!(broken.contains("cumulative"), "{broken}");
    Ok(())
}

fn parser_refuses() -> Result<(), Failed> {
    let parser = Parser::start()?;
    let twice = "hits_total{a=\"1\"} 3\n";
    let texts = [
        ("no value", "hits_total{a=\"1\"}\n"),
        ("the last line torn", "hits 3"),
        ("a series twice", &format!("{TEXT}{twice}")),
        ("a family in two pieces", &format!("{TEXT}x 1\n{twice}")),
        ("metadata twice", &format!("{TEXT}# HELP hits_total Hits.\n")),
    ];
    for (what, text) in texts {
        assert!(parser.text(text).is_err(), "{what}: {text}");
    }
    let openmetrics = [
        ("no end", "# TYPE a gauge\na 1\n"),
        ("an unsorted histogram", &format!("{DURATIONS}# EOF\n")),
        ("a series twice", "# TYPE a gauge\na 1\na 1\n# EOF\n"),
        ("a counter by its short name", "# TYPE a counter\na 1\n# EOF\n"),
    ];
    for (what, text) in openmetrics {
        let found = parser.openmetrics(text);
        assert!(found.is_err(), "{what}: {text}, {found:?}");
    }
    // It is still there for the next.
    parser.openmetrics(OPENMETRICS)?;
    Ok(())
}

fn parser_is_quick() -> Result<(), Failed> {
    let parser = Parser::start()?;
    for n in 0..500 {
        let found = parser.openmetrics(&format!("# TYPE a gauge\na {n}\n# EOF\n"))?;
        assert_eq!(found.value("a", &[]), Some(f64::from(n)));
    }
    let many = (0..5000).map(|n| format!("x{{n=\"{n}\"}} 1\n"));
    let many = parser.text(&many.collect::<String>())?;
    assert_eq!(many.sum("x", &[]), 5000.0);
    Ok(())
}

fn promtool() -> Result<(), Failed> {
    promtool_check_metrics(TEXT)?;
    let lint = promtool_check_metrics("# TYPE hits counter\nhits 3\n");
    let lint = lint.expect_err("promtool wants `_total`");
    assert!(lint.contains("_total"), "{lint}");
    assert!(promtool_check_metrics("hits{").is_err());
    Ok(())
}

async fn scrapes() -> Result<(), Failed> {
    let answer = async || Response::new(Full::<Bytes>::from(TEXT));
    let server = Server::start_fn(move |_| answer()).await?;
    let broken = async || Response::new(Full::<Bytes>::from("broken{"));
    let broken = Server::start_fn(move |_| broken()).await?;
    let target = |job, server: &Server| Target {
        job,
        addr: server.addr(),
        path: "/metrics",
    };
    let targets = [target("good", &server), target("bad", &broken)];
    let prometheus = Prometheus::start(&targets).await?;
    let promql = prometheus.promql();

    let good = "up{job=\"good\"}";
    let up = promql.until(good, SCRAPED, |up| !up.is_empty()).await?;
    assert_eq!((up.len(), up[0].value), (1, 1.0));
    assert_eq!(up[0].labels["job"], "good");
    assert_eq!(promql.scalar("hits_total{a=\"1\"}").await?, Some(3.0));
    assert_eq!(promql.scalar("absent_metric").await?, None);
    assert_eq!(promql.scalar("1 + 1").await?, Some(2.0));
    assert!(promql.query("sum(").await.is_err());

    let down = "up{job=\"bad\"} == 0";
    promql.until(down, SCRAPED, |down| down.len() == 1).await?;
    let health = promql.targets().await?;
    let bad = health.iter().find(|target| target.job == "bad");
    let bad = bad.ok_or("the bad target is listed")?;
    assert_eq!(bad.health, "down");
    assert!(!bad.last_error.is_empty());
    let never = promql.until("vector(7)", Duration::ZERO, |_| false).await;
    let never = never.expect_err("never").to_string();
    assert!(never.contains("7.0") && never.contains("bad"), "{never}");
    Ok(())
}

async fn bad_flag() -> Result<(), Failed> {
    let started = Prometheus::start_with(&[], &["--no-such-flag"]).await;
    let error = started.expect_err("it does not start").to_string();
    assert!(error.contains("no-such-flag"), "{error}");
    let flags = ["--enable-feature=exemplar-storage"];
    let prometheus = Prometheus::start_with(&[], &flags).await?;
    let query = "/api/v1/query_exemplars?query=x&start=1&end=2";
    assert_eq!(prometheus.promql().get(query).await?, serde_json::json!([]));
    Ok(())
}
