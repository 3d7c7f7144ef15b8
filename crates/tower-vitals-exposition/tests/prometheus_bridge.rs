//! Both directions of the bridge to prometheus-client, by the values that come out.
#![cfg(feature = "prometheus-client025")]
#![allow(clippy::unwrap_used)] // also in what is not a test itself

#[path = "support/parse.rs"]
mod parse;

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text},
    metrics::{
        MetricType,
        counter::Counter,
        exemplar::{CounterWithExemplar, HistogramWithExemplars},
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, NativeHistogramConfig},
        info::Info,
    },
    registry::{Registry, Unit},
};
use tower_vitals_core::{Vitals, encode::Protocol};
use tower_vitals_exposition::prometheus::{self, AttachError};

use self::parse::Scrape;

type Labels = Vec<(String, String)>;

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// A collector that is a function.
struct Odd<F>(F);

impl<F> fmt::Debug for Odd<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Odd")
    }
}

impl<F: Fn(DescriptorEncoder<'_>) -> fmt::Result + Send + Sync + 'static> Collector for Odd<F> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        (self.0)(encoder)
    }
}

fn odd(registry: &mut Registry, encode: impl Fn(DescriptorEncoder<'_>) -> fmt::Result + Send + Sync + 'static) {
    registry.register_collector(Box::new(Odd(encode)));
}

/// The text of a registry by prometheus-client itself.
fn own_text(registry: &Registry) -> String {
    let mut out = String::new();
    text::encode(&mut out, registry).unwrap();
    out
}

/// What the route shows of a registry alone, in OpenMetrics and in text, without what a Vitals says of itself.
fn attached(registry: Registry) -> [String; 2] {
    let vitals = Vitals::new();
    prometheus::attach(&vitals, registry).unwrap();
    [Protocol::OPEN_METRICS, Protocol::TEXT].map(|protocol| foreign(&vitals, protocol))
}

fn foreign(vitals: &Vitals, protocol: Protocol) -> String {
    let text = vitals.encode_to_string(protocol);
    let _ = Scrape::parse(&text);
    let lines = text.lines().filter(|line| !line.contains("vitals_") && *line != "# EOF");
    lines.map(|line| format!("{line}\n")).collect()
}

/// How many families were left out for a cause.
fn left_out(vitals: &Vitals, cause: &str) -> f64 {
    let scrape = Scrape::parse(&vitals.encode_to_string(Protocol::TEXT));
    let sample = scrape.value("vitals_attachment_errors_total", &[("cause", cause)]);
    // The scrape that asks counted too, after it had shown the counter.
    sample.unwrap_or(0.0)
}

// === collector ===

#[test]
fn the_collector_gives_the_samples_of_our_own_writer() {
    let nasty = [
        "",
        "plain",
        "q\"uote",
        "back\\slash",
        "line\nend",
        "} 1 # {a=\"b\"} 2",
        "\\n",
        "é 🦀",
        ",x=\"y\"",
        "a\0b",
    ];
    let vitals = Vitals::builder()
        .namespace("shop")
        .constant_label("service", "c\"a\\r\nt")
        .build()
        .unwrap();
    let jobs = vitals
        .counter("jobs_total", "Jobs \"run\" in C:\\x\nby queue")
        .labels(["queue", "outcome"])
        .unwrap();
    let sent = vitals.counter("sent_bytes_total", "Bytes sent").labels(["to"]).unwrap();
    let cost = vitals.float_counter("cost", "Money spent").labels(["to"]).unwrap();
    let depth = vitals.gauge("depth", "Jobs that wait").labels(["queue"]).unwrap();
    let load = vitals.float_gauge("load_ratio", "How busy").labels(["queue"]).unwrap();
    let wait = vitals
        .histogram("wait_seconds", "Time to wait")
        .buckets([0.000_05, 0.25, 1.0, 2e6])
        .labels(["queue"])
        .unwrap();
    let size = vitals
        .histogram("size", "Sizes of jobs")
        .buckets([1.0, 10.0])
        .register()
        .unwrap();
    vitals.counter("never", "Never counted").labels(["a"]).unwrap();
    let mut random: u64 = 1;
    for at in 0..500_u32 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let value = nasty[(random >> 33) as usize % nasty.len()];
        let amount = f64::from(at) * 0.37;
        jobs.with([value, nasty[at as usize % 3]]).inc_by(u64::from(at));
        sent.with([value]).inc_by(u64::MAX / 1000);
        cost.with([value]).inc_by(amount);
        depth.with([value]).add(7 - i64::from(at));
        load.with([value]).set(1.0 / amount);
        wait.with([value]).observe_duration(Duration::from_nanos(random >> 20));
        size.observe(amount);
    }
    load.with(["nan"]).set(f64::NAN);
    load.with(["low"]).set(f64::NEG_INFINITY);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(prometheus::collector(&vitals)));

    let (theirs, ours) = (own_text(&registry), vitals.encode_to_string(Protocol::OPEN_METRICS));

    let (their_scrape, our_scrape) = (Scrape::parse(&theirs), Scrape::parse(&ours));
    assert!(our_scrape.samples.len() > 100);
    assert_eq!(their_scrape.samples, our_scrape.samples);
    // Names, help, types and units are the same to the letter.
    let heads = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with("# "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(heads(&theirs), heads(&ours));
    assert!(theirs.contains("# HELP shop_jobs Jobs \\\"run\\\" in C:\\\\x\\nby queue\n"));
    assert!(theirs.contains("# UNIT shop_wait_seconds seconds\n"));
}

#[test]
fn the_collector_takes_prefix_and_labels_of_its_registry() {
    let vitals = Vitals::new();
    vitals.counter("jobs", "Jobs run").register().unwrap().inc();
    vitals
        .gauge("idle_bytes", "Memory")
        .labels(["a"])
        .unwrap()
        .with(["b"])
        .set(-2);
    let mut registry = Registry::with_prefix("app");
    let sub = registry.sub_registry_with_label(("part".into(), "x".into()));
    sub.register_collector(Box::new(prometheus::collector(&vitals)));

    let text = own_text(&registry);

    let scrape = Scrape::parse(&text);
    assert_eq!(scrape.value("app_jobs_total", &[("part", "x")]), Some(1.0));
    assert_eq!(scrape.value("app_idle_bytes", &[("part", "x"), ("a", "b")]), Some(-2.0));
    // And without any there are no empty braces.
    let mut registry = Registry::default();
    registry.register_collector(Box::new(prometheus::collector(&vitals)));
    assert!(own_text(&registry).contains("\njobs_total 1\n"));
}

#[test]
fn one_error_of_a_writer_is_the_error_of_the_collector() {
    /// Fails once.
    struct Failing(usize);
    impl fmt::Write for Failing {
        fn write_str(&mut self, _: &str) -> fmt::Result {
            self.0 = self.0.wrapping_sub(1);
            if self.0 == 0 { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let vitals = Vitals::new();
    vitals.counter("jobs", "Jobs run").register().unwrap().inc();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(prometheus::collector(&vitals)));
    let mut never = Failing(0);
    text::encode_registry(&mut never, &registry).unwrap();
    let writes = never.0.wrapping_neg();
    assert!(writes > 20);
    for at in 1..=writes {
        assert_eq!(text::encode_registry(&mut Failing(at), &registry), Err(fmt::Error), "{at}");
    }
}

#[test]
fn attachments_do_not_come_out_of_the_collector() {
    let vitals = Vitals::new();
    let mut registry = Registry::default();
    registry.register("foreign", "h", Counter::<u64>::default());
    prometheus::attach(&vitals, registry).unwrap();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(prometheus::collector(&vitals)));
    assert!(!own_text(&registry).contains("foreign"));
}

// === attach: every type in both protocols ===

#[test]
fn counters() {
    let counters = Family::<Labels, Counter>::default();
    let mut registry = Registry::default();
    registry.register_with_unit("sent", "Bytes sent", Unit::Bytes, counters.clone());
    counters.get_or_create(&labels([("to", "a")])).inc_by(3);
    assert_eq!(
        attached(registry),
        [
            "# HELP sent_bytes Bytes sent.\n# TYPE sent_bytes counter\n# UNIT sent_bytes bytes\nsent_bytes_total{to=\"a\"} 3\n",
            "# HELP sent_bytes_total Bytes sent.\n# TYPE sent_bytes_total counter\nsent_bytes_total{to=\"a\"} 3\n",
        ]
    );
}

#[test]
fn gauges_may_be_infinite() {
    let mut registry = Registry::default();
    for (name, value) in [("a", f64::INFINITY), ("b", f64::NEG_INFINITY), ("c", f64::NAN), ("d", 1e300)] {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        registry.register(name, "h", gauge);
    }
    let expected = "# HELP a h.\n# TYPE a gauge\na +Inf\n# HELP b h.\n# TYPE b gauge\nb -Inf\n# HELP c h.\n# TYPE c gauge\nc NaN\n\
                    # HELP d h.\n# TYPE d gauge\nd 1e300\n";
    assert_eq!(attached(registry), [expected; 2]);
}

#[test]
fn histograms() {
    let histogram = Histogram::new([0.5]);
    histogram.observe(0.25);
    histogram.observe(f64::INFINITY);
    let mut registry = Registry::default();
    registry.register("a", "h", histogram);
    // An instrument of the application's own may give other bounds.
    odd(&mut registry, |mut encoder| {
        let mut encoder = encoder.encode_descriptor("b", "h", None, MetricType::Histogram)?;
        encoder.encode_histogram::<Labels>(-1.0, 2, &[(f64::NEG_INFINITY, 2), (f64::INFINITY, 0)], None)
    });
    let expected = "# HELP a h.\n# TYPE a histogram\na_sum +Inf\na_count 2\na_bucket{le=\"0.5\"} 1\na_bucket{le=\"+Inf\"} 2\n\
                    # HELP b h\n# TYPE b histogram\nb_sum -1.0\nb_count 2\nb_bucket{le=\"-Inf\"} 2\nb_bucket{le=\"+Inf\"} 2\n";
    assert_eq!(attached(registry), [expected; 2]);
}

#[test]
fn infos() {
    let mut registry = Registry::default();
    registry.register("build", "What runs", Info::new(labels([("version", "1")])));
    assert_eq!(
        attached(registry),
        [
            "# HELP build What runs.\n# TYPE build info\nbuild_info{version=\"1\"} 1\n",
            "# HELP build_info What runs.\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n",
        ]
    );
}

#[test]
fn an_info_without_labels_in_a_labelled_registry() {
    let mut registry = Registry::with_labels([(Cow::Borrowed("a"), Cow::Borrowed("b"))].into_iter());
    registry.register("build", "", Info::new(Labels::new()));
    assert!(own_text(&registry).contains("{a=\"b\",} 1"), "no comma to take away any more");
    assert!(attached(registry)[0].ends_with("build_info{a=\"b\"} 1\n"));
}

#[test]
fn instruments_of_unknown_type() {
    #[derive(Debug)]
    struct Own;
    impl EncodeMetric for Own {
        fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
            encoder.encode_gauge(&2.5_f64)
        }
        fn metric_type(&self) -> MetricType {
            MetricType::Unknown
        }
    }
    let mut registry = Registry::default();
    registry.register("own", "h", Own);
    assert_eq!(
        attached(registry),
        [
            "# HELP own h.\n# TYPE own unknown\nown 2.5\n",
            "# HELP own h.\n# TYPE own untyped\nown 2.5\n"
        ]
    );
}

#[test]
fn exemplars_stay_in_open_metrics_only() {
    let counter = CounterWithExemplar::<Labels>::default();
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
    counter.inc_by(2, Some(labels([("trace_id", "} 9 # {\"\\")])), Some(time));
    let histogram = HistogramWithExemplars::<Labels>::new([1.0].into_iter());
    histogram.observe(f64::INFINITY, Some(labels([("trace_id", "x")])), None);
    let mut registry = Registry::default();
    registry.register("a", "h", counter);
    registry.register("b", "h", histogram);
    let [open_metrics, text] = attached(registry);
    assert!(
        open_metrics.contains("a_total 2 # {trace_id=\"} 9 # {\\\"\\\\\"} 2.0 1.5\n"),
        "{open_metrics}"
    );
    assert!(
        open_metrics.contains("b_bucket{le=\"+Inf\"} 1 # {trace_id=\"x\"} +Inf\n"),
        "{open_metrics}"
    );
    assert!(
        text.contains("a_total 2\n") && text.contains("b_bucket{le=\"+Inf\"} 1\n"),
        "{text}"
    );
}

// === attach: what must not break a scrape ===

#[test]
fn help_of_several_lines_is_one_line() {
    let mut registry = Registry::default();
    registry.register(
        "a",
        "One \"two\"\n# TYPE b gauge\n# HELP b C:\\x\n\nthree\0",
        Counter::<u64>::default(),
    );
    registry.register("b", "h", Counter::<u64>::default());
    let [open_metrics, text] = attached(registry);
    let help = "\\n# TYPE b gauge\\n# HELP b C:\\\\x\\n\\nthree\u{FFFD}.\n";
    assert!(open_metrics.starts_with(&format!(
        "# HELP a One \\\"two\\\"{help}# TYPE a counter\na_total 0\n# HELP b h.\n"
    )));
    assert!(text.starts_with(&format!(
        "# HELP a_total One \"two\"{help}# TYPE a_total counter\na_total 0\n# HELP b_total h.\n"
    )));
}

#[test]
fn label_values_may_be_anything() {
    let values = [
        "",
        "q\"uote",
        "back\\slash\\",
        "line\nend",
        "} 1 # {a=\"b\"} 2",
        "x # {",
        "a,b=\"c\"",
        "\n# EOF\n",
        "inf",
        "\0",
    ];
    let counters = Family::<Labels, Counter>::default();
    for value in values {
        counters.get_or_create(&labels([("a", value), ("b", "c")])).inc();
    }
    let mut registry = Registry::default();
    registry.register("x", "h", counters);
    for text in attached(registry) {
        let scrape = Scrape::parse(&text);
        for value in values {
            let value = value.replace('\0', "\u{FFFD}");
            assert_eq!(
                scrape.value("x_total", &[("a", &value), ("b", "c")]),
                Some(1.0),
                "{value:?}\n{text}"
            );
        }
    }
}

#[test]
fn sub_registries_share_a_family() {
    let mut registry = Registry::default();
    let counter = |count: u64| {
        let counter = Counter::<u64>::default();
        counter.inc_by(count);
        counter
    };
    for (part, help) in [("x", "First"), ("y", "Second")] {
        let sub = registry.sub_registry_with_label(("part".into(), part.into()));
        sub.register("a", help, counter(1));
        sub.register("b", help, counter(2));
    }
    let [open_metrics, text] = attached(registry);
    assert_eq!(
        open_metrics,
        "# HELP a First.\n# TYPE a counter\na_total{part=\"x\"} 1\na_total{part=\"y\"} 1\n\
         # HELP b First.\n# TYPE b counter\nb_total{part=\"x\"} 2\nb_total{part=\"y\"} 2\n"
    );
    assert_eq!(Scrape::parse(&text).value("a_total", &[("part", "y")]), Some(1.0));
}

#[test]
fn a_series_comes_out_once() {
    let mut registry = Registry::default();
    for labelled in [[("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")]] {
        let counters = Family::<Labels, Counter>::default();
        counters.get_or_create(&labels(labelled)).inc();
        registry.register("x", "h", counters);
    }
    let vitals = Vitals::new();
    prometheus::attach(&vitals, registry).unwrap();
    assert!(foreign(&vitals, Protocol::TEXT).ends_with("counter\nx_total{a=\"1\",b=\"2\"} 1\n"));
    assert_eq!(left_out(&vitals, "duplicate"), 1.0);
}

#[test]
fn families_that_clash_in_one_registry() {
    let mut registry = Registry::default();
    registry.register("a", "h", Counter::<u64>::default());
    // Another type of the same name, and a gauge with the name of the counter's samples.
    registry.register("a", "h", Gauge::<i64>::default());
    registry.register("a_total", "h", Gauge::<i64>::default());
    let vitals = Vitals::new();
    prometheus::attach(&vitals, registry).unwrap();
    assert_eq!(
        foreign(&vitals, Protocol::OPEN_METRICS),
        "# HELP a h.\n# TYPE a counter\na_total 0\n"
    );
    assert_eq!(left_out(&vitals, "duplicate"), 2.0);
}

#[test]
fn families_that_prometheus_would_refuse_are_left_out_and_counted() {
    let mut registry = Registry::default();
    for name in ["my-metric", "my metric", "my\nmetric", "", "1st", "a{b=\"c\"}", "\u{e9}"] {
        registry.register(name, "h", Counter::<u64>::default());
    }
    for (at, name) in ["my-label", "", "a b", "a\nb", "__name__", "b"].into_iter().enumerate() {
        let counters = Family::<Labels, Counter>::default();
        counters.get_or_create(&labels([("b", "c"), (name, "d")])).inc();
        registry.register(format!("family_{at}"), "h", counters);
    }
    let mut twice = Registry::with_labels([(Cow::Borrowed("b"), Cow::Borrowed("c"))].into_iter());
    let counters = Family::<Labels, Counter>::default();
    counters.get_or_create(&labels([("b", "d")])).inc();
    twice.register("twice", "h", counters);
    registry.register("fine", "h", Counter::<u64>::default());
    let vitals = Vitals::new();
    prometheus::attach(&vitals, registry).unwrap();
    prometheus::attach(&vitals, twice).unwrap();

    // Nothing of them stays, not even what was right.
    assert_eq!(
        foreign(&vitals, Protocol::OPEN_METRICS),
        "# HELP fine h.\n# TYPE fine counter\nfine_total 0\n"
    );
    assert_eq!(
        foreign(&vitals, Protocol::TEXT),
        "# HELP fine_total h.\n# TYPE fine_total counter\nfine_total 0\n"
    );
    assert_eq!(left_out(&vitals, "invalid"), 2.0 * 14.0);
}

#[test]
fn a_type_without_samples_is_not_shown() {
    let mut registry = Registry::default();
    odd(&mut registry, |mut encoder| {
        encoder.encode_descriptor("a", "h", None, MetricType::Gauge)?;
        encoder
            .encode_descriptor("b", "", None, MetricType::Gauge)?
            .encode_gauge(&1_i64)
    });
    assert_eq!(attached(registry), ["# TYPE b gauge\nb 1\n"; 2]);
}

#[test]
fn a_unit_that_does_not_end_the_name_is_not_told() {
    let mut registry = Registry::default();
    registry.register_with_unit("a", "h", Unit::Other(String::new()), Gauge::<i64>::default());
    assert_eq!(attached(registry), ["# HELP a_ h.\n# TYPE a_ gauge\na_ 0\n"; 2]);
}

#[test]
fn what_panics_or_fails_in_a_scrape_is_left_out_and_counted() {
    let (panics, fails) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut registry = Registry::default();
    let (panic, fail) = (Arc::clone(&panics), Arc::clone(&fails));
    odd(&mut registry, move |mut encoder| {
        encoder
            .encode_descriptor("a", "h", None, MetricType::Gauge)?
            .encode_gauge(&1_i64)?;
        assert!(!panic.load(Ordering::Relaxed), "on purpose");
        if fail.load(Ordering::Relaxed) {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    });
    let vitals = Vitals::new();
    vitals.gauge("ours", "h").register().unwrap();
    prometheus::attach(&vitals, registry).unwrap();
    let mut after = Registry::default();
    after.register("after", "h", Gauge::<i64>::default());
    prometheus::attach(&vitals, after).unwrap();
    let shown = |name| {
        Scrape::parse(&vitals.encode_to_string(Protocol::OPEN_METRICS))
            .value(name, &[])
            .is_some()
    };

    panics.store(true, Ordering::Relaxed);
    assert!(shown("ours") && !shown("a") && shown("after"));
    panics.store(false, Ordering::Relaxed);
    assert_eq!(left_out(&vitals, "panicked"), 3.0);
    fails.store(true, Ordering::Relaxed);
    assert!(shown("ours") && !shown("a") && shown("after"));
    fails.store(false, Ordering::Relaxed);
    assert_eq!(left_out(&vitals, "unreadable"), 3.0);
    assert!(shown("a"));
}

// === attach: who has which name ===

#[test]
fn a_family_that_the_vitals_has_cannot_be_attached() {
    let vitals = Vitals::new();
    vitals.counter("jobs_total", "Jobs run").labels(["queue"]).unwrap();
    vitals.gauge("wait_sum", "A gauge").register().unwrap();
    let mut registry = Registry::default();
    registry.register("jobs", "h", Gauge::<i64>::default());
    let error = prometheus::attach(&vitals, registry).unwrap_err();
    assert!(error.is_conflict() && !error.is_own_collector());
    let text = error.to_string();
    assert!(
        text.contains("gauge jobs of an attached prometheus-client registry"),
        "{text}"
    );
    assert!(text.contains("counter jobs_total{queue} \"Jobs run\""), "{text}");
    // One of its samples is enough.
    let mut registry = Registry::default();
    registry.register("wait", "h", Histogram::new([1.0]));
    let text = prometheus::attach(&vitals, registry).unwrap_err().to_string();
    assert!(
        text.contains("histogram wait of") && text.contains("`wait_sum` is taken by gauge wait_sum{}"),
        "{text}"
    );
    assert!(!foreign(&vitals, Protocol::TEXT).contains("wait_bucket"));
}

#[test]
fn the_vitals_cannot_register_an_attached_name() {
    let vitals = Vitals::new();
    let mut registry = Registry::default();
    registry.register("jobs", "h", Counter::<u64>::default());
    prometheus::attach(&vitals, registry).unwrap();
    let error = vitals.gauge("jobs", "Jobs that run").register().unwrap_err();
    assert!(error.is_conflict());
    let text = error.to_string();
    assert!(
        text.contains("`jobs` cannot be registered") && text.contains("counter jobs of an attached"),
        "{text}"
    );
    assert!(vitals.counter("jobs_total", "h").register().is_err());
    vitals.counter("jobs_done_total", "h").register().unwrap();
}

#[test]
fn a_registry_is_attached_once() {
    let vitals = Vitals::new();
    let counters = Family::<Labels, Counter>::default();
    let mut registry = Registry::default();
    registry.register("jobs", "h", counters.clone());
    let registry = Arc::new(registry);
    // While it is empty nobody can tell.
    prometheus::attach(&vitals, Arc::clone(&registry)).unwrap();
    prometheus::attach(&vitals, Arc::clone(&registry)).unwrap();
    counters.get_or_create(&labels([("a", "b")])).inc();
    assert_eq!(foreign(&vitals, Protocol::TEXT).matches("jobs_total{a=\"b\"} 1\n").count(), 1);
    assert_eq!(left_out(&vitals, "duplicate"), 1.0);
    assert!(prometheus::attach(&vitals, registry).unwrap_err().is_conflict());
}

#[test]
fn families_that_were_empty_meet_at_the_scrape() {
    let vitals = Vitals::new();
    let counters = Family::<Labels, Counter>::default();
    let mut registry = Registry::default();
    registry.register("jobs", "Theirs", counters.clone());
    registry.register("other", "Theirs", counters.clone());
    prometheus::attach(&vitals, registry).unwrap();
    vitals.counter("jobs_total", "Ours").register().unwrap().inc();
    assert_eq!(left_out(&vitals, "duplicate"), 0.0);

    counters.get_or_create(&labels([("a", "b")])).inc_by(7);

    for protocol in [Protocol::OPEN_METRICS, Protocol::TEXT] {
        let text = foreign(&vitals, protocol);
        assert!(text.contains("Ours") && !text.contains("jobs_total{a=\"b\"}"), "{text}");
        assert!(text.contains("other_total{a=\"b\"} 7\n"), "{text}");
    }
    assert_eq!(left_out(&vitals, "duplicate"), 2.0);
    // What a scrape has shown is known from then on.
    let error = vitals.gauge("other", "Ours").register().unwrap_err();
    assert!(error.to_string().contains("counter other of an attached"), "{error}");
}

#[test]
fn a_registry_with_the_own_collector_cannot_be_attached() {
    let (vitals, other) = (Vitals::new(), Vitals::builder().namespace("other").build().unwrap());
    let mut registry = Registry::default();
    registry.register_collector(Box::new(prometheus::collector(&vitals)));
    let error = prometheus::attach(&vitals, registry).unwrap_err();
    assert!(error.is_own_collector() && !error.is_conflict(), "{error}");

    let mut registry = Registry::default();
    let nested = registry
        .sub_registry_with_prefix("a")
        .sub_registry_with_label(("b".into(), "c".into()));
    nested.register_collector(Box::new(Arc::new(prometheus::collector(&vitals.clone()))));
    nested.register_collector(Box::new(prometheus::collector(&other)));
    let registry = Arc::new(registry);
    assert!(
        prometheus::attach(&vitals, Arc::clone(&registry))
            .unwrap_err()
            .is_own_collector()
    );
    assert!(
        prometheus::attach(&other, Arc::clone(&registry))
            .unwrap_err()
            .is_own_collector()
    );
    // Another one is welcome to both, and the collector is as it was.
    let third = Vitals::new();
    prometheus::attach(&third, registry).unwrap();
    let text = third.encode_to_string(Protocol::TEXT);
    let _ = Scrape::parse(&text);
    assert!(
        text.contains("a_vitals_series{") && text.contains("a_other_vitals_series{"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_encoded_cannot_be_attached() {
    let vitals = Vitals::new();
    let mut registry = Registry::default();
    registry.register("a", "h", Histogram::new_native(NativeHistogramConfig::new(2.0)));
    let error = prometheus::attach(&vitals, registry).unwrap_err();
    assert!(!error.is_conflict() && !error.is_own_collector());
    assert_eq!(
        error.to_string(),
        "the registry could not be encoded: one of its metrics or collectors gave an error"
    );

    let mut registry = Registry::default();
    odd(&mut registry, |_| panic!("on purpose"));
    let error: AttachError = prometheus::attach(&vitals, registry).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the registry could not be encoded: one of its metrics or collectors panicked"
    );
    // The probe is gone.
    let mut registry = Registry::default();
    registry.register_collector(Box::new(prometheus::collector(&vitals)));
    assert!(own_text(&registry).contains("vitals_series"));
}

#[test]
fn collectors_of_the_application_may_use_the_vitals() {
    let vitals = Vitals::new();
    let mut registry = Registry::default();
    let inside = vitals.clone();
    odd(&mut registry, move |mut encoder| {
        inside
            .counter("scrapes_total", "Scrapes")
            .register()
            .map_err(|_| fmt::Error)?
            .inc();
        let families = i64::try_from(inside.catalogue().len()).map_err(|_| fmt::Error)?;
        encoder
            .encode_descriptor("families", "h", None, MetricType::Gauge)?
            .encode_gauge(&families)
    });
    prometheus::attach(&vitals, registry).unwrap();
    let text = foreign(&vitals, Protocol::TEXT);
    assert!(text.contains("families 4\n") && text.contains("scrapes_total 1\n"), "{text}");
}

#[test]
fn a_series_with_its_labels_in_another_order_is_the_same_series() {
    let mut registry = Registry::default();
    let orders = Family::<Labels, Counter>::default();
    orders.get_or_create(&labels([("a", "1"), ("b", "2")])).inc();
    orders.get_or_create(&labels([("b", "2"), ("a", "1")])).inc();
    registry.register("orders", "Orders", orders);
    let [open_metrics, text] = attached(registry);
    for scrape in [open_metrics, text] {
        assert_eq!(scrape.matches("orders_total{").count(), 1, "{scrape}");
    }
}
