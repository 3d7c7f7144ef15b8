//! Families that are computed from rows: all from the rows of one moment, whatever happens meanwhile.
#![allow(clippy::unwrap_used)] // also in what is not a test itself

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use tower_vitals_core::{
    Clock, Computed, Descriptor, HistogramSamples, Kind, LONGEST_VALUE, LabelValues, Labels, ManualClock, RegisterError, Unit,
    Vitals, closed_label,
    encode::{Number, Point, Protocol, Visitor},
};

closed_label! {
    /// A closed label.
    enum Side {
        Left => "left",
        Right => "right",
    }
}

#[derive(Clone)]
struct Row {
    name: String,
    left: u64,
    right: u64,
}

fn row(name: impl Into<String>, left: u64, right: u64) -> Row {
    let name = name.into();
    Row { name, left, right }
}

fn gauge(vitals: &Vitals, name: &str, value: fn(&Row) -> u64) -> Computed<Row> {
    vitals
        .gauge(name, "A value")
        .computed(["name"], move |row: &Row, samples| {
            samples.push([&row.name], Number::Unsigned(value(row)));
        })
        .unwrap()
}

fn left(vitals: &Vitals, name: &str) -> Computed<Row> {
    gauge(vitals, name, |row| row.left)
}

/// A counter of both sides that are not zero.
fn sides(vitals: &Vitals, name: &str) -> Computed<Row> {
    vitals
        .counter(name, "What went \"by\"")
        .category("traffic")
        .closed::<Side>("side")
        .computed(["name", "side"], |row: &Row, samples| {
            for (side, count) in [("left", row.left), ("right", row.right)] {
                if count > 0 {
                    samples.push([&row.name, side], Number::Unsigned(count));
                }
            }
        })
        .unwrap()
}

/// Sizes in a row, as a histogram's family shows them.
#[derive(Clone)]
struct Sizes {
    name: &'static str,
    counts: Vec<u64>,
    sum: Number,
}

/// A histogram of sizes up to 64 bytes, up to 1 MiB, and of longer ones.
fn sizes(vitals: &Vitals, name: &str) -> Computed<Sizes> {
    vitals
        .histogram(name, "Sizes")
        .buckets([64.0, 1_048_576.0])
        .computed_histogram(["name"], |row: &Sizes, samples| {
            samples.push([row.name], &row.counts, row.sum);
        })
        .unwrap()
}

fn text(vitals: &Vitals) -> String {
    vitals.encode_to_string(Protocol::TEXT)
}

fn message<T: std::fmt::Debug>(result: Result<T, RegisterError>) -> String {
    result.expect_err("an error was expected").to_string()
}

fn rest(chunks: impl Iterator<Item = impl AsRef<[u8]>>) -> String {
    chunks
        .map(|chunk| String::from_utf8(chunk.as_ref().to_vec()).unwrap())
        .collect()
}

/// The values of a family's lines, by what stands in the braces.
fn values<'a>(scrape: &'a str, family: &str) -> BTreeMap<&'a str, u64> {
    let start = format!("{family}{{");
    let lines = scrape.lines().filter_map(|line| line.strip_prefix(&start)?.rsplit_once("} "));
    let mut values = BTreeMap::new();
    for (labels, value) in lines {
        assert!(values.insert(labels, value.parse().unwrap()).is_none(), "{labels} came twice");
    }
    values
}

#[test]
fn both_formats_show_them_among_the_others() {
    let vitals = Vitals::builder()
        .namespace("t")
        .constant_label("app", "a\"b")
        .build()
        .unwrap();
    vitals.gauge("passages", "Passages").register().unwrap().set(1);
    let families = [
        left(&vitals, "zone"),
        sides(&vitals, "passed_total"),
        gauge(&vitals, "age_seconds", |row| row.right),
    ];
    let rows = [row("m\\n\0", 0, 7), row("x".repeat(2_000), 5, 6)];
    vitals.register_collector(families, move || rows.to_vec()).unwrap();
    let long = "x".repeat(LONGEST_VALUE);
    let own = format!(
        r#"t_vitals_series{{app="a\"b",family="t_age_seconds"}} 2
t_vitals_series{{app="a\"b",family="t_passages"}} 1
t_vitals_series{{app="a\"b",family="t_passed_total"}} 3
t_vitals_series{{app="a\"b",family="t_vitals_attachment_errors_total"}} 0
t_vitals_series{{app="a\"b",family="t_vitals_label_overflow_total"}} 0
t_vitals_series{{app="a\"b",family="t_vitals_series"}} 7
t_vitals_series{{app="a\"b",family="t_zone"}} 2
# HELP t_zone A value
# TYPE t_zone gauge
t_zone{{app="a\"b",name="m\\n{nul}"}} 0
t_zone{{app="a\"b",name="{long}"}} 5
"#,
        nul = '\u{FFFD}',
    );
    let samples = |family: &str| {
        format!(
            r#"t_age_seconds{{app="a\"b",name="m\\n{nul}"}} 7
t_age_seconds{{app="a\"b",name="{long}"}} 6
# HELP t_passages Passages
# TYPE t_passages gauge
t_passages{{app="a\"b"}} 1
{family}t_passed_total{{app="a\"b",name="m\\n{nul}",side="right"}} 7
t_passed_total{{app="a\"b",name="{long}",side="left"}} 5
t_passed_total{{app="a\"b",name="{long}",side="right"}} 6
# HELP t_vitals_series Series that a family has
# TYPE t_vitals_series gauge
"#,
            nul = '\u{FFFD}',
        )
    };
    let age = "# HELP t_age_seconds A value\n# TYPE t_age_seconds gauge\n";
    let passed = "# HELP t_passed_total What went \"by\"\n# TYPE t_passed_total counter\n";
    assert_eq!(text(&vitals), [age, &samples(passed), &own].concat());
    let age = format!("{age}# UNIT t_age_seconds seconds\n");
    let passed = "# HELP t_passed What went \\\"by\\\"\n# TYPE t_passed counter\n";
    assert_eq!(
        vitals.encode_to_string(Protocol::OPEN_METRICS),
        [age.as_str(), &samples(passed), &own, "# EOF\n"].concat()
    );
}

#[test]
fn both_formats_show_histograms_beside_counters() {
    let vitals = Vitals::builder().constant_label("app", "shop").build().unwrap();
    let seen = vitals
        .counter("seen_total", "Rows seen")
        .computed(["name"], |row: &Sizes, samples| samples.push([row.name], Number::Unsigned(1)))
        .unwrap();
    let rows = [
        ("a\"b", vec![4, 5, 6], Number::Unsigned(u64::MAX)),
        ("none", vec![0; 3], Number::Unsigned(0)),
    ];
    let rows = rows.map(|(name, counts, sum)| Sizes { name, counts, sum });
    vitals
        .register_collector([sizes(&vitals, "size_bytes"), seen], move || rows.to_vec())
        .unwrap();
    let samples = r#"size_bytes_bucket{app="shop",name="a\"b",le="64.0"} 4
size_bytes_bucket{app="shop",name="a\"b",le="1.048576e+06"} 9
size_bytes_bucket{app="shop",name="a\"b",le="+Inf"} 15
size_bytes_sum{app="shop",name="a\"b"} 18446744073709551615
size_bytes_count{app="shop",name="a\"b"} 15
size_bytes_bucket{app="shop",name="none",le="64.0"} 0
size_bytes_bucket{app="shop",name="none",le="1.048576e+06"} 0
size_bytes_bucket{app="shop",name="none",le="+Inf"} 0
size_bytes_sum{app="shop",name="none"} 0
size_bytes_count{app="shop",name="none"} 0
"#;
    let family = "# HELP size_bytes Sizes\n# TYPE size_bytes histogram\n";
    for (protocol, unit) in [(Protocol::TEXT, ""), (Protocol::OPEN_METRICS, "# UNIT size_bytes bytes\n")] {
        let scrape = vitals.encode_to_string(protocol);
        let expected = [family, unit, samples].concat();
        assert!(scrape.contains(&expected), "{scrape}");
        assert_eq!(values(&scrape, "seen_total").len(), 2);
        let series = values(&scrape, "vitals_series");
        assert_eq!(series[r#"app="shop",family="size_bytes""#], 2, "a histogram is one series");
    }
}

#[test]
fn times_are_summed_to_the_nanosecond_in_the_buckets_that_all_have() {
    let vitals = Vitals::new();
    let waits = vitals
        .histogram("wait_seconds", "Waits")
        .computed_histogram([], |nanos: &u128, samples| samples.push([], &[1], Number::Nanos(*nanos)))
        .unwrap();
    vitals.register_collector([waits], || vec![61_000_000_001]).unwrap();
    let scrape = text(&vitals);
    assert!(scrape.contains("wait_seconds_bucket{le=\"0.005\"} 1\n"), "{scrape}");
    assert!(scrape.contains("wait_seconds_bucket{le=\"10.0\"} 1\n"), "{scrape}");
    assert!(
        scrape.contains("wait_seconds_sum 61.000000001\nwait_seconds_count 1\n"),
        "{scrape}"
    );
}

#[test]
fn a_histogram_keeps_to_its_buckets_whatever_its_row_says() {
    let vitals = Vitals::new();
    let rows = [
        ("few", vec![3], Number::Signed(-1), [3, 3, 3]),
        ("none", vec![], Number::Unsigned(0), [0, 0, 0]),
        ("many", vec![1, 1, 1, 1, 1], Number::Nanos(0), [1, 2, 5]),
        (
            "endless",
            vec![1, u64::MAX, u64::MAX],
            Number::Float(f64::NAN),
            [1, u64::MAX, u64::MAX],
        ),
    ];
    let given = rows.clone().map(|(name, counts, sum, _)| Sizes { name, counts, sum });
    vitals
        .register_collector([sizes(&vitals, "size_bytes")], move || given.to_vec())
        .unwrap();
    for protocol in [Protocol::TEXT, Protocol::OPEN_METRICS] {
        let scrape = vitals.encode_to_string(protocol);
        let buckets = values(&scrape, "size_bytes_bucket");
        assert_eq!(buckets.len(), 3 * rows.len());
        for (name, _, _, shown) in &rows {
            let found = ["64.0", "1.048576e+06", "+Inf"].map(|le| buckets[&*format!("name=\"{name}\",le=\"{le}\"")]);
            let labels = format!("name=\"{name}\"");
            assert_eq!((name, found), (name, *shown));
            assert_eq!(values(&scrape, "size_bytes_count")[&*labels], shown[2]);
            assert!(scrape.contains(&format!("size_bytes_sum{{{labels}}} 0")), "{scrape}");
        }
        assert!(!scrape.contains("panicked"), "{scrape}");
    }
}

#[test]
fn a_family_without_points_is_not_shown() {
    let vitals = Vitals::new();
    let rows = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&rows);
    let families = [left(&vitals, "zone"), sides(&vitals, "passed_total")];
    let collect = move || collected.lock().unwrap().clone();
    vitals.register_collector(families, collect).unwrap();
    let scrape = text(&vitals);
    assert!(
        !scrape.contains("# TYPE zone") && !scrape.contains("# TYPE passed"),
        "{scrape}"
    );
    assert_eq!(values(&scrape, "vitals_series")[r#"family="zone""#], 0);

    rows.lock().unwrap().push(row("a", 0, 0));
    let scrape = text(&vitals);
    assert!(
        scrape.contains("# TYPE zone") && !scrape.contains("# TYPE passed"),
        "{scrape}"
    );
    assert_eq!(values(&scrape, "vitals_series")[r#"family="zone""#], 1);
    assert_eq!(values(&scrape, "vitals_series")[r#"family="passed_total""#], 0);
}

#[test]
fn scrapes_at_the_same_time_have_rows_of_their_own() {
    let vitals = Vitals::new();
    let rows = Arc::new(Mutex::new(vec![row("a", 1, 1)]));
    let collected = Arc::clone(&rows);
    let families = [left(&vitals, "a_left"), gauge(&vitals, "z_right", |row| row.right)];
    let collect = move || collected.lock().unwrap().clone();
    vitals.register_collector(families, collect).unwrap();
    let first = vitals.encode(Protocol::TEXT);
    *rows.lock().unwrap() = vec![row("a", 2, 2), row("b", 2, 2)];
    let second = vitals.encode(Protocol::TEXT);
    *rows.lock().unwrap() = Vec::new();
    let (first, second) = (rest(first), rest(second));
    for (scrape, expected) in [(&first, vec![1]), (&second, vec![2, 2])] {
        let of = |family| values(scrape, family).into_values().collect::<Vec<_>>();
        assert_eq!((of("a_left"), of("z_right")), (expected.clone(), expected));
    }
}

/// Sets a flag when it is dropped.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_families_of_a_scrape_agree_while_others_change_what_they_show() {
    let vitals = Vitals::new();
    let rows = Arc::new(Mutex::new(vec![row("first", 0, 0)]));
    let collected = Arc::clone(&rows);
    let families = [left(&vitals, "a_left"), gauge(&vitals, "z_right", |row| row.right)];
    let collect = move || collected.lock().unwrap().clone();
    vitals.register_collector(families, collect).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also when an assertion fails, so that the other thread does not go on for ever.
        let _at_the_end = AtTheEnd(&over);
        scope.spawn(|| {
            for value in 1.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let mut rows = rows.lock().unwrap();
                rows.iter_mut().for_each(|row| (row.left, row.right) = (value, value));
                // More and more rows up to some, which go again.
                let many = rows.len() % 100;
                rows.truncate(many);
                rows.push(row(format!("row {value}"), value, value));
            }
        });
        for _ in 0..300 {
            let scrape = text(&vitals);
            let left = values(&scrape, "a_left");
            assert_eq!(left, values(&scrape, "z_right"));
            assert!(!left.is_empty());
            let count = values(&scrape, "vitals_series")[r#"family="a_left""#];
            assert_eq!(count, left.len() as u64);
        }
    });
}

#[test]
fn a_scrape_of_many_rows_pauses_between_them_and_collects_once() {
    const ROWS: u64 = 10_000;
    let vitals = Vitals::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let families = [left(&vitals, "zone"), sides(&vitals, "passed_total")];
    let collect = move || {
        let value = 1 + counted.fetch_add(1, Ordering::Relaxed) as u64;
        (0..ROWS).map(|number| row(format!("row {number}"), value, value)).collect()
    };
    vitals.register_collector(families, collect).unwrap();
    for protocol in [Protocol::TEXT, Protocol::OPEN_METRICS] {
        let before = calls.load(Ordering::Relaxed);
        let mut chunks = Vec::new();
        for chunk in vitals.encode(protocol) {
            chunks.push(chunk);
            // Somebody else scrapes meanwhile.
            if chunks.len() == 2 {
                drop(vitals.encode(protocol));
            }
        }
        assert_eq!(calls.load(Ordering::Relaxed), before + 2);
        assert!(chunks.len() > 10, "{}", chunks.len());
        assert!(
            chunks.iter().all(|chunk| chunk.len() < 65 * 1024),
            "a chunk ends with its row"
        );
        let scrape = rest(chunks.into_iter());
        let (zone, passed) = (values(&scrape, "zone"), values(&scrape, "passed_total"));
        assert_eq!((zone.len(), passed.len()), (10_000, 20_000));
        let value = before as u64 + 1;
        assert!(zone.values().chain(passed.values()).all(|shown| *shown == value));
        assert_eq!(scrape.matches("# TYPE zone ").count(), 1);
    }
}

#[test]
fn a_panic_costs_the_family_and_nothing_else() {
    let vitals = Vitals::new();
    let (collect, show) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let panics = |when: &Arc<AtomicBool>| {
        let when = Arc::clone(when);
        move || assert!(!when.load(Ordering::Relaxed), "on purpose")
    };
    let (collecting, showing) = (panics(&collect), panics(&show));
    let broken = vitals
        .gauge("broken", "Panics after its first row")
        .computed(["name"], move |row: &Row, samples| {
            samples.push([&row.name], Number::Unsigned(row.left));
            if row.left > 1 {
                showing();
            }
        })
        .unwrap();
    let families = [broken, left(&vitals, "zone")];
    let rows = move || {
        collecting();
        vec![row("a", 1, 1), row("b", 2, 2)]
    };
    vitals.register_collector(families, rows).unwrap();
    vitals.gauge("zz_other", "Another").register().unwrap().set(1);
    let both = |scrape: &str| (values(scrape, "broken").len(), values(scrape, "zone").len());
    let errors = || values(&text(&vitals), "vitals_attachment_errors_total")[r#"cause="panicked""#];

    assert_eq!(both(&text(&vitals)), (2, 2));
    show.store(true, Ordering::Relaxed);
    let scrape = text(&vitals);
    assert_eq!(both(&scrape), (0, 2));
    assert!(
        !scrape.contains("# TYPE broken") && scrape.ends_with("zz_other 1\n"),
        "{scrape}"
    );
    assert_eq!(values(&scrape, "vitals_series")[r#"family="broken""#], 0);
    show.store(false, Ordering::Relaxed);
    assert_eq!(errors(), 1);

    collect.store(true, Ordering::Relaxed);
    let scrape = text(&vitals);
    assert_eq!(both(&scrape), (0, 0));
    assert!(
        !scrape.contains("# TYPE zone") && scrape.ends_with("zz_other 1\n"),
        "{scrape}"
    );
    collect.store(false, Ordering::Relaxed);
    assert_eq!(errors(), 2);
    assert_eq!(both(&text(&vitals)), (2, 2), "nothing is left of it");
}

#[test]
fn a_row_that_panics_when_it_is_shown_ends_its_family() {
    let vitals = Vitals::new();
    let calls = AtomicUsize::new(0);
    let fickle = vitals
        .gauge("fickle", "Panics when it is asked again")
        .computed(["name"], move |row: &Row, samples| {
            samples.push([&row.name], Number::Unsigned(1));
            assert!(calls.fetch_add(1, Ordering::Relaxed) < 4, "on purpose");
        })
        .unwrap();
    let rows = || ["a", "b", "c"].map(|name| row(name, 1, 1)).to_vec();
    vitals.register_collector([fickle, left(&vitals, "zone")], rows).unwrap();
    let scrape = text(&vitals);
    assert_eq!(values(&scrape, "fickle").into_keys().collect::<Vec<_>>(), [r#"name="a""#]);
    assert_eq!(values(&scrape, "zone").len(), 3);
    assert!(text(&vitals).contains(r#"vitals_attachment_errors_total{cause="panicked"} 2"#));
}

fn histogram(vitals: &Vitals, name: &str) -> Computed<Row> {
    let builder = vitals.histogram(name, "Values");
    builder.computed_histogram([], |_: &Row, _| ()).unwrap()
}

#[test]
fn the_families_of_a_collector_are_registered_all_or_none() {
    let vitals = Vitals::new();
    vitals.gauge("known", "Known").register().unwrap();
    vitals.histogram("wait_seconds", "Waits").register().unwrap();
    let names = || vitals.catalogue().iter().map(Descriptor::sample_name).collect::<Vec<_>>();
    let before = names();
    let rows = || vec![row("a", 1, 1)];
    for (families, error) in [
        (
            [left(&vitals, "fresh"), left(&vitals, "known")],
            "`known` cannot be registered: its name `known` is taken by gauge known{} \"Known\"",
        ),
        (
            [left(&vitals, "fresh"), left(&vitals, "wait_seconds_sum")],
            "its name `wait_seconds_sum` is taken by histogram wait_seconds",
        ),
        (
            [left(&vitals, "fresh"), left(&vitals, "fresh")],
            "its name `fresh` is taken by gauge fresh{name}",
        ),
        (
            [left(&vitals, "fresh_created"), sides(&vitals, "fresh_total")],
            "its name `fresh_created` is taken by gauge fresh_created{name}",
        ),
        (
            [left(&vitals, "fresh"), left(&vitals, "http_requests")],
            "`http_requests` is reserved",
        ),
        (
            [left(&vitals, "fresh"), left(&Vitals::new(), "strange")],
            "`strange`: was declared on another Vitals",
        ),
        (
            [left(&vitals, "fresh_bucket"), histogram(&vitals, "fresh")],
            "its name `fresh_bucket` is taken by gauge fresh_bucket{name}",
        ),
        (
            [histogram(&vitals, "fresh"), left(&vitals, "fresh_sum")],
            "its name `fresh_sum` is taken by histogram fresh{}",
        ),
    ] {
        let message = message(vitals.register_collector(families, rows));
        assert!(message.contains(error), "{message}");
        assert_eq!(names(), before);
        assert!(!text(&vitals).contains("fresh"));
    }
    let families = || [left(&vitals, "fresh"), sides(&vitals, "passed")];
    vitals.register_collector(families(), rows).unwrap();
    let again = vitals.register_collector(families(), rows).unwrap_err();
    assert!(again.is_conflict(), "{again}");
    let other = vitals.gauge("fresh", "A value").labels(["name"]).unwrap_err();
    assert!(
        other.is_conflict() && other.to_string().contains("computed gauge fresh{name}"),
        "{other}"
    );
    let sample = vitals.gauge("passed_created", "Mine").register().unwrap_err();
    assert!(sample.is_conflict(), "{sample}");
    assert_eq!(values(&text(&vitals), "fresh").len(), 1);
}

#[test]
fn what_breaks_a_rule_is_refused_when_it_is_declared() {
    let vitals = Vitals::builder().constant_label("app", "shop").build().unwrap();
    let show = |(): &(), _: &mut tower_vitals_core::Samples<'_, 1>| {};
    let gauge = |name: &str| vitals.gauge(name, "A value");
    for (declared, error) in [
        (gauge("2fast").computed(["name"], show), "must start with a letter"),
        (gauge("fine").computed(["le"], show), "reserved for the buckets"),
        (gauge("fine").computed(["app"], show), "is a constant label already"),
        (
            gauge("fine").closed::<Side>("side").computed(["name"], show),
            "closed set for label `side`",
        ),
        (
            gauge("fine").series_budget(5).computed(["name"], show),
            "`fine`: a computed family has no series",
        ),
        (
            gauge("fine").expire_after(Duration::from_secs(1)).computed(["name"], show),
            "`fine`: a computed family has no series",
        ),
        (vitals.gauge("fine", " ").computed(["name"], show), "help must say"),
    ] {
        let message = message(declared);
        assert!(message.contains(error), "{message}");
    }
    let house = gauge("http_requests").house().computed(["app"], show).unwrap();
    assert_eq!(house.descriptor().labels()[0].name(), "exported_app");
    vitals.register_collector([house], Vec::new).unwrap();
}

#[test]
fn a_histogram_that_breaks_a_rule_is_refused_when_it_is_declared() {
    let vitals = Vitals::new();
    let show = |(): &(), _: &mut HistogramSamples<'_, 1>| {};
    let histogram = |name: &str| vitals.histogram(name, "Values");
    for (declared, error) in [
        (histogram("fine").computed_histogram(["le"], show), "reserved for the buckets"),
        (
            histogram("fine").buckets([2.0, 1.0]).computed_histogram(["name"], show),
            "`fine`: bucket bounds must rise",
        ),
        (
            histogram("fine").series_budget(5).computed_histogram(["name"], show),
            "`fine`: a computed family has no series",
        ),
    ] {
        let message = message(declared);
        assert!(message.contains(error), "{message}");
    }
}

#[test]
fn the_catalogue_lists_them() {
    let vitals = Vitals::new();
    vitals.register_collector([sides(&vitals, "passed")], Vec::new).unwrap();
    let catalogue = vitals.catalogue();
    let passed = &catalogue[0];
    assert_eq!((passed.name(), passed.category()), ("passed", "traffic"));
    let labels = passed.labels();
    assert_eq!((labels[0].name(), labels[1].name()), ("name", "side"));
    assert_eq!(*labels[0].values(), LabelValues::Budget(usize::MAX));
    assert_eq!(*labels[1].values(), LabelValues::Closed(["left", "right"].as_slice().into()));

    vitals
        .register_collector([sizes(&vitals, "message_size_bytes")], Vec::new)
        .unwrap();
    let catalogue = vitals.catalogue();
    let sizes = &catalogue[0];
    assert_eq!((sizes.name(), sizes.kind()), ("message_size_bytes", Kind::Histogram));
    assert_eq!((sizes.unit(), sizes.labels().len()), (Some(Unit::Bytes), 1));
}

/// Keeps when counters and histograms began.
#[derive(Default)]
struct Starts(Vec<(String, SystemTime)>);

impl Visitor for Starts {
    fn family(&mut self, _: &Descriptor) {}

    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>) {
        let start = match point {
            Point::Counter(counter) => counter.start,
            Point::Histogram(histogram) => histogram.start,
            _ => return,
        };
        self.0.push((labels.rendered().to_owned(), start));
    }
}

#[test]
fn a_point_began_when_its_row_says_or_else_when_its_family_was_declared() {
    let manual = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&manual)).build().unwrap();
    manual.advance(Duration::from_secs(5));
    let declared = vitals.clock().wall(vitals.clock().now());
    let began = declared + Duration::from_secs(60);
    let counter = vitals
        .counter("passed", "What went by")
        .computed(["name"], move |(): &(), samples| {
            samples.push(["known"], Number::Unsigned(1));
            samples.push_since(["late"], Number::Unsigned(1), began);
        })
        .unwrap();
    let histogram = vitals
        .histogram("size", "Sizes")
        .computed_histogram(["name"], move |(): &(), samples| {
            samples.push(["known too"], &[1], Number::Unsigned(1));
            samples.push_since(["late too"], &[1], Number::Unsigned(1), began);
        })
        .unwrap();
    vitals.register_collector([counter, histogram], || vec![()]).unwrap();
    manual.advance(Duration::from_secs(500));
    let mut starts = Starts::default();
    vitals.visit(&mut starts);
    let expected = [
        (r#"name="known""#, declared),
        (r#"name="late""#, began),
        (r#"name="known too""#, declared),
        (r#"name="late too""#, began),
    ];
    assert_eq!(starts.0, expected.map(|(labels, start)| (labels.to_owned(), start)));
}

#[test]
fn collecting_may_use_the_vitals() {
    let vitals = Vitals::new();
    let collected = vitals
        .counter("collected", "Times that rows were asked for")
        .register()
        .unwrap();
    let jobs = vitals.counter("jobs", "Jobs run").labels(["queue"]).unwrap();
    let inner = Mutex::new(Some(vitals.clone()));
    vitals
        .register_collector([left(&vitals, "zone")], move || {
            collected.inc();
            jobs.with(["made meanwhile"]).inc();
            if let Some(vitals) = inner.lock().unwrap().take() {
                vitals.gauge("late", "Comes while a scrape begins").register().unwrap().set(1);
                assert!(vitals.catalogue().iter().any(|family| family.name() == "late"));
            }
            vec![row("a", 1, 1)]
        })
        .unwrap();
    let scrape = text(&vitals);
    assert!(
        scrape.contains("collected_total 1") && scrape.contains(r#"zone{name="a"} 1"#),
        "{scrape}"
    );
    assert!(text(&vitals).contains("late 1"));
}
