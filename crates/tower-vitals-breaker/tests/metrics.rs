//! What a scrape shows of breakers, from their making through an outage.
#![allow(clippy::unwrap_used)] // also in what is not a test itself

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use tower_vitals_breaker::{
    CircuitBreaker, CircuitBreakerBuilder, CircuitBreakers, Outcome, Permit, RejectReason, State, Verdict,
};
use tower_vitals_core::{
    Clock, Descriptor, Labels, ManualClock, Vitals,
    encode::{Point, Protocol, Visitor},
};

type Lines = BTreeMap<String, String>;

fn vitals() -> (Vitals, ManualClock) {
    let manual = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&manual)).build().unwrap();
    (vitals, manual)
}

/// Values by the rest of the name and the labels.
fn scrape(vitals: &Vitals, protocol: Protocol) -> Lines {
    let text = vitals.encode_to_string(protocol);
    let samples = text.lines().filter_map(|line| line.strip_prefix("circuit_breaker_"));
    samples
        .filter_map(|sample| sample.rsplit_once(' '))
        .map(|(series, value)| (series.to_owned(), value.to_owned()))
        .collect()
}

fn text(vitals: &Vitals) -> Lines {
    scrape(vitals, Protocol::TEXT)
}

fn failing_after(calls: u32) -> CircuitBreakerBuilder {
    CircuitBreaker::builder("a")
        .consecutive_failures(calls)
        .open_for(tower_vitals_breaker::OpenFor::constant(Duration::from_secs(5)))
}

fn acquire(breaker: &CircuitBreaker) -> Permit {
    breaker.try_acquire().unwrap()
}

/// The lines that are there now and were not, or had another value.
fn changed(before: &Lines, after: &Lines) -> Vec<String> {
    let new = after.iter().filter(|(series, value)| before.get(*series) != Some(value));
    let gone = before.keys().filter(|series| !after.contains_key(*series));
    let new = new.map(|(series, value)| format!("{series} {value}"));
    new.chain(gone.map(|series| format!("{series} gone"))).collect()
}

#[test]
fn everything_is_there_from_the_start() {
    let (vitals, _) = vitals();
    let _breaker = failing_after(2).build(&vitals).unwrap();
    let lines = text(&vitals);
    let zero = |series: &str| assert_eq!(lines.get(series).map(String::as_str), Some("0"), "{series} of {lines:?}");
    zero(r#"state{breaker="a"}"#);
    zero(r#"half_open_in_flight{breaker="a"}"#);
    assert_eq!(lines[r#"mode{breaker="a",mode="auto"}"#], "1");
    for mode in ["forced_open", "disabled", "shadow"] {
        zero(&format!(r#"mode{{breaker="a",mode="{mode}"}}"#));
    }
    let outcomes = "success failure timeout slow_success slow_failure ignored cancelled panicked stale";
    for outcome in outcomes.split(' ') {
        zero(&format!(r#"calls_total{{breaker="a",outcome="{outcome}"}}"#));
    }
    for reason in ["open", "half_open_full", "forced_open"] {
        zero(&format!(r#"rejected_total{{breaker="a",reason="{reason}"}}"#));
        zero(&format!(r#"would_reject_total{{breaker="a",reason="{reason}"}}"#));
    }
    let possible = [
        ("closed", "open", "consecutive_failures"),
        ("open", "half_open", "open_time_over"),
        ("half_open", "open", "probes_failed"),
        ("half_open", "open", "lease_expired"),
        ("half_open", "closed", "probes_succeeded"),
    ];
    for (from, to, reason) in possible {
        zero(&format!(
            r#"transitions_total{{breaker="a",from="{from}",to="{to}",reason="{reason}"}}"#
        ));
    }
    assert!(lines.contains_key(r#"state_since_timestamp_seconds{breaker="a"}"#));
    assert_eq!(lines.len(), 2 + 4 + 9 + 6 + 5 + 1, "{lines:?}");
}

#[test]
fn transitions_are_there_from_the_start_where_settings_can_cause_them() {
    let (vitals, _) = vitals();
    let builder = CircuitBreaker::builder("a").failure_rate(0.5);
    let _breaker = builder.slow_calls(Duration::from_secs(1), 0.5).build(&vitals).unwrap();
    let reason = |line: &str| Some(line.split_once(r#"reason=""#)?.1.trim_end_matches(r#""}"#).to_owned());
    let lines = text(&vitals);
    let lines = lines.keys().filter(|line| line.starts_with("transitions"));
    let reasons: Vec<_> = lines.filter_map(|line| reason(line)).collect();
    let expected = "failure_rate slow_call_rate probes_succeeded lease_expired probes_failed probes_slow open_time_over";
    assert_eq!(reasons, expected.split(' ').collect::<Vec<_>>());
}

#[test]
fn a_story_of_an_outage() {
    for protocol in [Protocol::TEXT, Protocol::OPEN_METRICS] {
        let (vitals, clock) = vitals();
        let breaker = failing_after(2).build(&vitals).unwrap();
        let since = |lines: &Lines| -> f64 { lines[r#"state_since_timestamp_seconds{breaker="a"}"#].parse().unwrap() };
        let start = scrape(&vitals, protocol);
        clock.advance(Duration::from_secs(1));
        acquire(&breaker).record(Verdict::FAILURE);
        acquire(&breaker).record(Verdict::TIMEOUT);
        assert!(breaker.try_acquire().is_err());

        let opened = scrape(&vitals, protocol);
        let until: f64 = opened[r#"open_until_timestamp_seconds{breaker="a"}"#].parse().unwrap();
        assert!((since(&opened) - since(&start) - 1.0).abs() < 1e-6 && (until - since(&opened) - 5.0).abs() < 1e-6);
        let mut changes = changed(&start, &opened);
        changes.retain(|line| !line.contains("timestamp"));
        let expected = [
            r#"calls_total{breaker="a",outcome="failure"} 1"#,
            r#"calls_total{breaker="a",outcome="timeout"} 1"#,
            r#"rejected_total{breaker="a",reason="open"} 1"#,
            r#"state{breaker="a"} 1"#,
            r#"transitions_total{breaker="a",from="closed",to="open",reason="consecutive_failures"} 1"#,
        ];
        assert_eq!(changes, expected);

        clock.advance(Duration::from_secs(5));
        assert_eq!(scrape(&vitals, protocol), opened, "nobody called yet");
        let probe = acquire(&breaker);
        assert!(breaker.try_acquire().is_err());
        let half_open = scrape(&vitals, protocol);
        let mut changes = changed(&opened, &half_open);
        changes.retain(|line| !line.starts_with("state_since"));
        let expected = [
            r#"half_open_in_flight{breaker="a"} 1"#,
            r#"rejected_total{breaker="a",reason="half_open_full"} 1"#,
            r#"state{breaker="a"} 2"#,
            r#"transitions_total{breaker="a",from="open",to="half_open",reason="open_time_over"} 1"#,
            r#"open_until_timestamp_seconds{breaker="a"} gone"#,
        ];
        assert_eq!(changes, expected);

        probe.record(Verdict::SUCCESS);
        let mut changes = changed(&half_open, &scrape(&vitals, protocol));
        changes.retain(|line| !line.starts_with("state_since"));
        let expected = [
            r#"calls_total{breaker="a",outcome="success"} 1"#,
            r#"half_open_in_flight{breaker="a"} 0"#,
            r#"state{breaker="a"} 0"#,
            r#"transitions_total{breaker="a",from="half_open",to="closed",reason="probes_succeeded"} 1"#,
        ];
        assert_eq!(changes, expected);
    }
}

#[test]
fn ratios_are_there_from_the_minimum_of_calls_up() {
    let (vitals, clock) = vitals();
    let builder = CircuitBreaker::builder("a").failure_rate(0.9).minimum_calls(4);
    let breaker = builder.slow_calls(Duration::from_secs(1), 0.9).build(&vitals).unwrap();
    let ratios = || -> Vec<_> {
        let lines = text(&vitals);
        lines.into_iter().filter(|(series, _)| series.contains("_ratio")).collect()
    };
    for verdict in [Verdict::SUCCESS, Verdict::FAILURE, Verdict::IGNORED, Verdict::SUCCESS] {
        assert_eq!(ratios(), []);
        acquire(&breaker).record(verdict);
    }
    assert_eq!(ratios(), [], "three, as one says nothing");
    let slow = acquire(&breaker);
    clock.advance(Duration::from_secs(1));
    slow.record(Verdict::SUCCESS);
    let line = |what: &str, value: &str| (format!(r#"{what}_ratio{{breaker="a"}}"#), value.to_owned());
    assert_eq!(ratios(), [line("failure", "0.25"), line("slow", "0.25")]);
    let status = breaker.status();
    assert_eq!((status.failure_ratio, status.slow_ratio), (Some(0.25), Some(0.25)));
    assert_eq!((status.window_calls, status.window_failed, status.window_slow), (4, 1, 1));
    assert_eq!((status.calls(Outcome::SlowSuccess), status.calls(Outcome::Ignored)), (1, 1));

    let plain = CircuitBreaker::builder("b")
        .failure_rate(0.9)
        .minimum_calls(1)
        .build(&vitals)
        .unwrap();
    acquire(&plain).record(Verdict::SUCCESS);
    assert_eq!(ratios().len(), 3, "no call is slow by the settings of b");
}

#[test]
fn orders_show_as_modes_and_transitions_that_then_exist() {
    let (vitals, _) = vitals();
    let breaker = failing_after(2).build(&vitals).unwrap();
    let breakers = CircuitBreakers::of(&vitals);
    let start = text(&vitals);
    assert!(breakers.force_open("a") && !breakers.force_open("b"));
    assert!(breaker.try_acquire().is_err());
    let forced = text(&vitals);
    let mut changes = changed(&start, &forced);
    changes.retain(|line| !line.starts_with("state_since"));
    let expected = [
        r#"mode{breaker="a",mode="auto"} 0"#,
        r#"mode{breaker="a",mode="forced_open"} 1"#,
        r#"rejected_total{breaker="a",reason="forced_open"} 1"#,
        r#"state{breaker="a"} 1"#,
        r#"transitions_total{breaker="a",from="closed",to="open",reason="forced"} 1"#,
    ];
    assert_eq!(changes, expected, "and no time at which it closes");
    assert!(breakers.shadow("a"));
    acquire(&breaker).record(Verdict::FAILURE);
    acquire(&breaker).record(Verdict::FAILURE);
    acquire(&breaker).record(Verdict::FAILURE);
    let status = breakers.get("a").unwrap().status();
    assert_eq!((status.state, status.would_reject(RejectReason::Open)), (State::Open, 1));
    assert_eq!(status.transitions(), 3);
    assert!(breakers.release("a") && breakers.disable("a") && breakers.reset("a"));
    assert_eq!(breaker.state(), State::Closed);
}

/// When each counter began, by its labels.
#[derive(Default)]
struct Starts(Vec<(String, SystemTime)>);

impl Visitor for Starts {
    fn family(&mut self, _: &Descriptor) {}

    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>) {
        if let Point::Counter(counter) = point {
            self.0.push((labels.rendered().to_owned(), counter.start));
        }
    }
}

#[test]
fn an_order_that_leaves_a_breaker_closed_leaves_the_time_since_when() {
    let (vitals, clock) = vitals();
    let breaker = failing_after(2).build(&vitals).unwrap();
    let since = breaker.status().since;
    for order in [CircuitBreaker::reset, CircuitBreaker::disable, CircuitBreaker::reset] {
        clock.advance(Duration::from_secs(100));
        order(&breaker);
        assert_eq!((breaker.state(), breaker.status().since), (State::Closed, since));
    }
    clock.advance(Duration::from_secs(100));
    breaker.force_open();
    assert_eq!(breaker.status().since, since + Duration::from_secs(400));
}

#[test]
fn counters_began_when_their_breaker_was_made() {
    let (vitals, clock) = vitals();
    let now = || vitals.clock().wall(vitals.clock().now());
    clock.advance(Duration::from_secs(10));
    let _a = failing_after(2).build(&vitals).unwrap();
    let of_a = now();
    clock.advance(Duration::from_secs(10));
    let keyed = CircuitBreaker::builder("b")
        .consecutive_failures(1)
        .keyed(&vitals, 1)
        .unwrap();
    let of_set = now();
    let _ = keyed.get("x");
    clock.advance(Duration::from_secs(10));
    let _ = keyed.get("y");
    let of_y = now();
    clock.advance(Duration::from_secs(10));
    let mut starts = Starts::default();
    vitals.visit(&mut starts);
    let counters = 9 + 3 + 3 + 5;
    for (label, began, count) in [
        (r#"breaker="a""#, of_a, counters),
        (r#"breaker="b/y""#, of_y, counters),
        (r#"set="b""#, of_set, 1),
    ] {
        let of_label: Vec<_> = starts.0.iter().filter(|(labels, _)| labels.contains(label)).collect();
        assert_eq!(of_label.len(), count, "{label}");
        assert!(of_label.iter().all(|(_, start)| *start == began), "{label}: {of_label:?}");
    }
}

#[test]
fn durations_are_there_where_they_are_wanted() {
    let (vitals, clock) = vitals();
    let _plain = CircuitBreaker::builder("b").build(&vitals).unwrap();
    assert!(!vitals.encode_to_string(Protocol::TEXT).contains("call_duration"));
    let breaker = failing_after(9).call_durations().build(&vitals).unwrap();
    let permit = acquire(&breaker);
    clock.advance(Duration::from_millis(30));
    permit.record(Verdict::FAILURE);
    let lines = text(&vitals);
    let of = |rest: &str| lines[&format!(r#"call_duration_seconds_{rest}"#)].as_str();
    assert_eq!(of(r#"sum{breaker="a",outcome="failure"}"#), "0.03");
    assert_eq!(of(r#"bucket{breaker="a",outcome="failure",le="0.025"}"#), "0");
    assert_eq!(of(r#"bucket{breaker="a",outcome="failure",le="0.05"}"#), "1");
    assert!(
        !lines
            .keys()
            .any(|line| line.contains("call_duration") && line.contains("success"))
    );
}

#[test]
fn the_same_name_is_the_same_breaker_or_an_error_that_says_what_differs() {
    let (vitals, _) = vitals();
    let breaker = failing_after(2).build(&vitals).unwrap();
    acquire(&breaker).record(Verdict::SUCCESS);
    let again = failing_after(2).build(&vitals).unwrap();
    assert_eq!(again.status().calls(Outcome::Success), 1);
    let error = failing_after(3).build(&vitals).unwrap_err();
    assert!(error.is_conflict());
    let said = error.to_string();
    assert!(said.contains("consecutive failures is 2 there and 3 here"), "{said}");
    let (other, _) = self::vitals();
    assert!(failing_after(3).build(&other).is_ok(), "another Vitals has its own");
}

#[test]
fn breakers_do_not_keep_their_vitals() {
    let (vitals, _) = vitals();
    let kept = std::sync::Arc::new(());
    let weak = std::sync::Arc::downgrade(&kept);
    vitals.before_scrape(move || drop(std::sync::Arc::clone(&kept)));
    let breaker = failing_after(2).call_durations().build(&vitals).unwrap();
    let keyed = CircuitBreaker::builder("set").call_durations().keyed(&vitals, 1).unwrap();
    acquire(&breaker).record(Verdict::SUCCESS);
    keyed.try_acquire("x").unwrap().record(Verdict::SUCCESS);
    let _breakers = CircuitBreakers::of(&vitals);
    drop(vitals);
    assert!(weak.upgrade().is_none(), "handles do not keep it, nor does it keep itself");
}
