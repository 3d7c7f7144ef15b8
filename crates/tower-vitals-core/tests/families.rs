//! Families as their users meet them: registration, label values, budgets, removal.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tower_vitals_core::{
    Attachment, AttachmentError, ClosedLabel, Descriptor, LONGEST_VALUE, LabelValues, Labels, LeftOut, RegisterError, Vitals,
    closed_label,
    encode::{Encoder, Point, Protocol, Visitor},
};

closed_label! {
    /// A closed label.
    enum Outcome {
        Ok => "ok",
        Failed => "failed",
    }
}

fn text(vitals: &Vitals) -> String {
    vitals.encode_to_string(Protocol::TEXT)
}

fn message<T: std::fmt::Debug>(result: Result<T, RegisterError>) -> String {
    result.expect_err("an error was expected").to_string()
}

#[test]
fn the_same_name_in_the_same_shape_is_the_same_family() {
    let vitals = Vitals::new();
    let first = vitals.counter("jobs", "Jobs run").labels(["queue"]).unwrap();
    let second = vitals
        .counter("jobs_total", "Jobs run")
        .budget("queue", 5)
        .labels(["queue"])
        .unwrap();
    first.with(["mail"]).inc();
    second.with(["mail"]).inc();
    assert_eq!(first.with(["mail"]).get(), 2);
}

#[test]
fn the_same_name_in_another_shape_is_an_error_that_shows_both() {
    let vitals = Vitals::new();
    vitals
        .histogram("wait_seconds", "Waits")
        .buckets([1.0])
        .labels(["queue"])
        .unwrap();
    for error in [
        message(vitals.histogram("wait_seconds", "Waits").buckets([2.0]).labels(["queue"])),
        message(
            vitals
                .histogram("wait_seconds", "Waits")
                .buckets([1.0])
                .labels(["queue", "kind"]),
        ),
        message(vitals.histogram("wait_seconds", "Other").buckets([1.0]).labels(["queue"])),
        message(vitals.gauge("wait_seconds", "Waits").labels(["queue"])),
    ] {
        assert!(error.contains("wait_seconds{queue} \"Waits\" with buckets [1.0]"), "{error}");
        assert!(error.contains("asked for"), "{error}");
    }
    vitals.counter("money", "Money").register().unwrap();
    let error = message(vitals.float_counter("money", "Money").register());
    assert!(
        error.contains("float counter money_total") && error.contains("integer counter money_total"),
        "{error}"
    );
}

#[test]
fn sample_names_of_two_families_never_meet() {
    let vitals = Vitals::new();
    vitals.histogram("wait", "Waits").register().unwrap();
    let error = message(vitals.gauge("wait_count", "How many wait").register());
    assert!(
        error.contains("`wait_count` is taken by histogram wait{} \"Waits\""),
        "{error}"
    );
    vitals.gauge("load_sum", "Load").register().unwrap();
    assert!(message(vitals.histogram("load", "Load").register()).contains("`load_sum` is taken"));
    assert!(message(vitals.counter("http_requests_total", "Mine").register()).contains("reserved"));
    assert!(message(vitals.gauge("http_request_duration_seconds_sum", "Mine").register()).contains("reserved"));
    assert!(vitals.counter("shop_http_requests_total", "Mine").register().is_ok());
}

#[test]
fn what_a_declaration_may_not_say() {
    let vitals = Vitals::builder().constant_label("zone", "a").build().unwrap();
    assert!(message(vitals.counter("a", "").register()).contains("help must say"));
    assert!(message(vitals.counter("a", "A").labels(["x", "x"])).contains("declared twice"));
    assert!(message(vitals.counter("a", "A").labels(["zone"])).contains("is a constant label already"));
    assert!(message(vitals.counter("a", "A").budget("y", 1).labels(["x"])).contains("label `y`, but the labels are [\"x\"]"));
    assert!(message(vitals.histogram("a", "A").buckets([f64::NAN]).register()).contains("bucket bound NaN"));
    assert!(message(Vitals::builder().namespace("a b").build()).contains("namespace `a b`"));
    assert!(message(Vitals::builder().constant_label("method", "x").build()).contains("tower-vitals' own"));
    assert!(message(Vitals::builder().constant_label("x", "1").constant_label("x", "2").build()).contains("set twice"));
}

#[test]
fn a_value_beyond_its_budget_is_other_and_counted() {
    let vitals = Vitals::new();
    let jobs = vitals
        .counter("jobs", "Jobs run")
        .budget("queue", 2)
        .closed::<Outcome>("outcome")
        .labels(["queue", "outcome"])
        .unwrap();
    for queue in ["a", "b", "c", "d", "a", "_other"] {
        jobs.with([queue, Outcome::Ok.as_str()]).inc();
    }
    jobs.with(["a", "strange"]).inc();
    let text = text(&vitals);
    assert!(text.contains(r#"jobs_total{queue="a",outcome="ok"} 2"#), "{text}");
    assert!(text.contains(r#"jobs_total{queue="_other",outcome="ok"} 3"#), "{text}");
    assert!(text.contains(r#"jobs_total{queue="a",outcome="_other"} 1"#), "{text}");
    assert!(
        text.contains(r#"vitals_label_overflow_total{family="jobs_total",label="queue"} 2"#),
        "{text}"
    );
    assert!(text.contains(r#"vitals_series{family="jobs_total"} 4"#), "{text}");
    let _ = Outcome::Failed;
}

#[test]
fn a_family_beyond_its_budget_of_series_keeps_its_closed_labels() {
    let vitals = Vitals::new();
    let jobs = vitals
        .counter("jobs", "Jobs run")
        .series_budget(3)
        .closed::<Outcome>("outcome")
        .labels(["queue", "outcome"])
        .unwrap();
    for queue in 0..100 {
        jobs.with([&queue.to_string(), "ok"]).inc();
        jobs.with([&queue.to_string(), "failed"]).inc();
    }
    assert_eq!(jobs.len(), 5);
    let total = |outcome| {
        (0..100)
            .filter_map(|q| jobs.get([&q.to_string(), outcome]))
            .map(|c| c.get())
            .sum::<u64>()
    };
    assert_eq!(total("ok") + jobs.with(["_other", "ok"]).get(), 100);
    assert_eq!(total("failed") + jobs.with(["_other", "failed"]).get(), 100);
    assert!(text(&vitals).contains(r#"vitals_label_overflow_total{family="jobs_total",label="_series"} 197"#));
}

#[test]
fn values_that_are_written_alike_are_one_series() {
    let vitals = Vitals::new();
    let jobs = vitals.counter("jobs", "Jobs run").labels(["queue"]).unwrap();
    jobs.with(["a\0"]).inc();
    jobs.with(["a\u{FFFD}"]).inc();
    let long = "x".repeat(10_000);
    jobs.with([&long]).inc();
    jobs.with([&long[..LONGEST_VALUE]]).inc();
    assert_eq!(jobs.len(), 2);
    assert_eq!(jobs.with(["a\0"]).get(), 2);
    assert_eq!(jobs.with([&long]).get(), 2);
}

#[test]
fn a_removed_series_comes_back_at_zero_and_a_held_one_stays() {
    let vitals = Vitals::new();
    let jobs = vitals.counter("jobs", "Jobs run").labels(["queue"]).unwrap();
    let held = jobs.with(["a"]).hold();
    jobs.with(["b"]).inc();
    held.inc();
    assert!(!jobs.remove(["a"]), "somebody holds it");
    assert!(jobs.remove(["b"]));
    assert!(!jobs.remove(["b"]));
    assert!(!text(&vitals).contains(r#"queue="b""#));
    assert_eq!(jobs.with(["b"]).get(), 0);
    drop(held);
    assert!(jobs.remove(["a"]));
}

#[test]
fn one_extension_of_each_type() {
    let vitals = Vitals::new();
    let first = vitals.extension(|| 7_u32);
    let second = vitals.extension(|| 8_u32);
    assert_eq!((*first, *second), (7, 7));
    assert_eq!(*vitals.extension(|| "other type"), "other type");
    assert_eq!(*Vitals::new().extension(|| 9_u32), 9);
}

#[test]
fn the_catalogue_lists_every_family() {
    let vitals = Vitals::builder().namespace("shop").build().unwrap();
    vitals
        .counter("orders", "Orders placed")
        .category("sales")
        .labels(["country"])
        .unwrap();
    let catalogue = vitals.catalogue();
    let names: Vec<_> = catalogue.iter().map(Descriptor::sample_name).collect();
    assert_eq!(
        names,
        [
            "shop_orders_total",
            "shop_vitals_attachment_errors_total",
            "shop_vitals_label_overflow_total",
            "shop_vitals_series"
        ]
    );
    assert_eq!(
        (catalogue[0].category(), catalogue[0].labels()[0].name()),
        ("sales", "country")
    );
}

/// Gives its text, or fails as it is told.
struct Attached {
    text: &'static str,
    broken: Arc<AtomicBool>,
}

impl Attachment for Attached {
    fn render(&self, _: Protocol, taken: &dyn Fn(&str) -> bool, out: &mut String) -> Result<LeftOut, AttachmentError> {
        out.push_str("half");
        if self.broken.load(Ordering::Relaxed) {
            return Err(AttachmentError::new("on purpose"));
        }
        assert!(taken("jobs_total") && !taken("foreign"), "the encoder knows our names");
        out.clear();
        out.push_str(self.text);
        Ok(LeftOut::default())
    }

    fn owner_of(&self, name: &str) -> Option<String> {
        (name == "foreign").then(|| "a foreign library".into())
    }
}

#[test]
fn an_attachment_comes_last_and_its_failure_costs_nothing_else() {
    let vitals = Vitals::new();
    vitals.counter("jobs", "Jobs run").register().unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let attached = Attached {
        text: "foreign 1\n",
        broken: Arc::clone(&broken),
    };
    vitals.attach(attached, &["foreign".into()]).unwrap();
    let scrape = vitals.encode_to_string(Protocol::OPEN_METRICS);
    assert!(scrape.ends_with("foreign 1\n# EOF\n"), "{scrape}");
    assert!(message(vitals.gauge("foreign", "Mine").register()).contains("a foreign library"));

    broken.store(true, Ordering::Relaxed);
    let scrape = vitals.encode_to_string(Protocol::OPEN_METRICS);
    assert!(!scrape.contains("half") && scrape.ends_with("# EOF\n"), "{scrape}");
    assert!(
        vitals
            .encode_to_string(Protocol::TEXT)
            .contains(r#"vitals_attachment_errors_total{cause="unreadable"} 1"#)
    );

    let taken = Attached { text: "", broken };
    assert!(message(vitals.attach(taken, &["jobs_total".into()])).contains("counter jobs_total"));
}

#[test]
fn a_scrape_is_of_the_families_that_were_there_when_it_began() {
    let vitals = Vitals::builder().series_budget(5_000).label_budget(5_000).build().unwrap();
    let jobs = vitals.counter("jobs", "Jobs run").labels(["queue"]).unwrap();
    for queue in 0..3_000 {
        jobs.with([&format!("{queue} {}", "x".repeat(60))]).inc();
    }
    let mut scrape: Encoder = vitals.encode(Protocol::TEXT);
    let first = scrape.next().unwrap();
    vitals.counter("aaa", "Comes late").register().unwrap();
    // A series that was shown comes back in a slot that was not.
    let [early, late] = [0, 2_999].map(|queue| format!("{queue} {}", "x".repeat(60)));
    assert!(jobs.remove([&early]) && jobs.remove([&late]));
    jobs.with([&early]).inc();
    let rest: Vec<u8> = scrape.flatten().collect();
    let all = String::from_utf8([first.to_vec(), rest].concat()).unwrap();
    assert_eq!(all.matches("queue=\"0 x").count(), 1, "neither twice nor lost");
    assert!(!all.contains("# HELP aaa"));
}

#[test]
fn a_series_in_use_is_never_missed_while_it_is_tried_to_remove_it() {
    let vitals = Vitals::new();
    let jobs = vitals.counter("jobs", "Jobs run").series_budget(1).labels(["queue"]).unwrap();
    jobs.with(["a"]).inc();
    let stop = AtomicBool::new(false);
    let mut sent = 1;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let in_use = jobs.with(["a"]);
                assert!(!jobs.remove(["a"]));
                drop(in_use);
            }
        });
        let _in_use = jobs.with(["a"]);
        for _ in 0..30_000 {
            jobs.with(["a"]).inc();
            sent += 1;
        }
        for _ in 0..300 {
            assert!(text(&vitals).contains("jobs_total{queue=\"a\"}"));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!((jobs.len(), jobs.with(["a"]).get()), (1, sent));
}

#[test]
fn a_series_is_found_by_the_value_that_made_it() {
    let jobs = Vitals::new().counter("jobs", "Jobs run").labels(["queue"]).unwrap();
    for value in ["x".repeat(2_000), "a\0b".into()] {
        jobs.with([&value]).inc();
        assert_eq!(jobs.get([&value]).map(|series| series.get()), Some(1));
        assert!(jobs.remove([&value]));
    }
}

#[test]
fn closed_labels_need_no_budget_of_series() {
    let vitals = Vitals::builder().series_budget(1).build().unwrap();
    let jobs = vitals
        .counter("jobs", "Jobs run")
        .closed::<Outcome>("outcome")
        .labels(["outcome"])
        .unwrap();
    jobs.with(["ok"]).inc();
    jobs.with(["failed"]).inc();
    vitals.gauge("level", "Level").register().unwrap();
    assert!(!text(&vitals).contains("vitals_label_overflow_total{"));
}

#[test]
fn an_extension_may_ask_for_another() {
    let vitals = Vitals::new();
    let sum = vitals.extension(|| u64::from(*vitals.extension(|| 7_u32)) + 1);
    assert_eq!(*sum, 8);
}

#[test]
fn a_family_whose_labels_are_counted_later_is_the_same_family() {
    let vitals = Vitals::new();
    let jobs = || vitals.counter("jobs", "Jobs run").budget("queue", 2);
    let known = jobs().labels(["queue", "outcome"]).unwrap();
    let names = ["queue", "outcome"].map(str::to_owned);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let counted = jobs().labels_of(&names).unwrap();
    known.with(["mail", "ok"]).inc();
    counted.with(&["mail", "ok"]).inc();
    assert_eq!(counted.get(&["mail", "ok"]).unwrap().get(), 2);
    assert_eq!((counted.len(), counted.is_empty()), (1, false));
    assert_eq!(counted.descriptor(), known.descriptor());
    assert!(counted.admits(0, "sms") && !counted.admits(0, "fax") && !counted.admits(2, "x"));
    counted.with(&["fax", "ok"]).inc();
    assert_eq!(known.get(["_other", "ok"]).unwrap().get(), 1);
    assert!(counted.remove(&["mail", "ok"]) && !counted.clone().remove(&["mail", "ok"]));
    assert!(message(jobs().labels_of(&["outcome"])).contains("budget or closed set for label `queue`"));
}

#[test]
#[cfg_attr(debug_assertions, should_panic = "jobs_total")]
fn a_wrong_number_of_values_is_a_mistake_that_costs_no_more_than_a_label() {
    let jobs = Vitals::new().counter("jobs", "Jobs run").labels_of(&["a", "b"]).unwrap();
    jobs.with(&["x"]).inc();
    jobs.with(&["x", "", "z"]).inc();
    assert_eq!(jobs.get(&["x", ""]).unwrap().get(), 2);
}

#[test]
fn a_closed_set_may_be_put_together_at_the_start() {
    let vitals = Vitals::new();
    let set: Vec<&'static str> = ["GET", "PROPFIND"].into();
    let calls = vitals
        .counter("calls", "Calls")
        .closed_to("method", set)
        .labels(["method"])
        .unwrap();
    for method in ["GET", "PROPFIND", "BREW"] {
        calls.with([method]).inc();
    }
    assert!(calls.get(["PROPFIND"]).is_some() && calls.get(["BREW"]).is_none());
    assert_eq!(calls.with(["_other"]).get(), 1);
    assert_eq!(
        calls.descriptor().labels()[0].values(),
        &LabelValues::Closed(vec!["GET", "PROPFIND"].into())
    );
}

#[test]
fn a_hook_is_called_before_a_scrape_looks_and_may_do_anything() {
    let vitals = Vitals::new();
    let level = vitals.gauge("level", "Level").labels(["of"]).unwrap();
    let other = Vitals::new();
    vitals.before_scrape(move || {
        level.with(["tank"]).inc();
        other.before_scrape(|| ());
        let _ = (other.catalogue(), other.encode_to_string(Protocol::TEXT));
    });
    assert!(text(&vitals).contains("level{of=\"tank\"} 1"), "its series is in this scrape");
    struct Names(Vec<String>);
    impl Visitor for Names {
        fn family(&mut self, descriptor: &Descriptor) {
            self.0.push(descriptor.sample_name());
        }

        fn point(&mut self, _: &Labels<'_>, _: &Point<'_>) {}
    }
    let mut names = Names(Vec::new());
    vitals.visit(&mut names);
    assert!(names.0.contains(&"level".to_owned()));
    let mut scrape = vitals.encode(Protocol::OPEN_METRICS);
    assert!(scrape.by_ref().count() > 0);
    assert!(text(&vitals).contains("level{of=\"tank\"} 4"), "once a scrape");
}

#[test]
fn errors_have_a_family_of_their_own_in_any_vitals() {
    for (namespace, constant) in [("", "zone"), ("shop", "zone"), ("errors", "exported_zone")] {
        let vitals = Vitals::builder()
            .namespace(namespace)
            .label_budget(2)
            .constant_label(constant, "a")
            .build()
            .unwrap();
        for kind in ["a", "b", "c"] {
            vitals.errors().unwrap().with([kind]).inc();
        }
        let prefix = if namespace.is_empty() {
            String::new()
        } else {
            format!("{namespace}_")
        };
        let text = text(&vitals);
        for kind in ["a", "b", "_other"] {
            let sample = format!("{prefix}errors_total{{{constant}=\"a\",kind=\"{kind}\"}} 1");
            assert!(text.contains(&sample), "{text}");
        }
    }
}

#[test]
fn an_application_may_have_errors_of_its_own() {
    let vitals = Vitals::new();
    vitals.counter("errors_total", "Mine").labels(["code"]).unwrap();
    assert!(vitals.errors().unwrap_err().to_string().contains("errors"));
}

#[test]
fn our_own_families_step_aside_for_constant_labels() {
    let vitals = Vitals::builder()
        .constant_label("service", "cart")
        .constant_label("exported_service", "x")
        .build()
        .unwrap();
    let calls = |house| {
        let calls = vitals.counter("grpc_requests", "Calls").budget("service", 1);
        let calls = if house { calls.house() } else { calls };
        calls.labels(["service", "method"])
    };
    assert!(message(calls(false)).contains("is a constant label already"));
    let calls = calls(true).unwrap();
    calls.with(["shop.Cart", "Add"]).inc();
    calls.with(["shop.Other", "Add"]).inc();
    let expected =
        r#"grpc_requests_total{service="cart",exported_service="x",exported_exported_service="shop.Cart",method="Add"} 1"#;
    assert!(text(&vitals).contains(expected), "{}", text(&vitals));
    assert_eq!(calls.with(["_other", "Add"]).get(), 1, "its budget is the label's");
}
