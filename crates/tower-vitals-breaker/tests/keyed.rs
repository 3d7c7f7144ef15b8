//! Breakers by key: which have one, which go, and what is left of them.
#![allow(clippy::unwrap_used)] // also in what is not a test itself

use std::{collections::BTreeSet, sync::Barrier, time::Duration};

use tower_vitals_breaker::{CircuitBreaker, CircuitBreakers, KeyedBreakers, Mode, Outcome, State, Verdict};
use tower_vitals_core::{Clock, ManualClock, Vitals, encode::Protocol};

fn setting(budget: usize) -> (KeyedBreakers, Vitals, ManualClock) {
    let manual = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&manual)).build().unwrap();
    let builder = CircuitBreaker::builder("set").consecutive_failures(1).call_durations();
    let keyed = builder.keyed(&vitals, budget).unwrap();
    (keyed, vitals, manual)
}

fn names(vitals: &Vitals) -> Vec<String> {
    let list = CircuitBreakers::of(vitals).list();
    list.into_iter().map(|status| status.name).collect()
}

fn sample(vitals: &Vitals, series: &str) -> Option<u64> {
    let text = vitals.encode_to_string(Protocol::TEXT);
    let values = text.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    values.map(|value| value.parse().unwrap()).next()
}

fn evictions(vitals: &Vitals) -> u64 {
    sample(vitals, r#"circuit_breaker_evictions_total{set="set"}"#).unwrap()
}

fn overflow(vitals: &Vitals) -> Option<u64> {
    let series = r#"vitals_label_overflow_total{family="circuit_breaker_calls_total",label="breaker"}"#;
    sample(vitals, series)
}

fn end(keyed: &KeyedBreakers, key: &str, verdict: Verdict) {
    keyed.try_acquire(key).unwrap().record(verdict);
}

#[test]
fn the_least_recently_used_goes_with_all_its_series() {
    let (keyed, vitals, clock) = setting(3);
    for key in ["a", "b", "c"] {
        end(&keyed, key, Verdict::SUCCESS);
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(evictions(&vitals), 0);
    end(&keyed, "a", Verdict::SUCCESS);
    end(&keyed, "d", Verdict::SUCCESS);
    assert_eq!(names(&vitals), ["set/a", "set/c", "set/d"]);
    let text = vitals.encode_to_string(Protocol::TEXT);
    assert!(text.contains(r#"call_duration_seconds_count{breaker="set/a""#) && !text.contains("set/b"));
    assert_eq!(evictions(&vitals), 1);
    end(&keyed, "b", Verdict::SUCCESS);
    assert_eq!(keyed.get("b").status().calls(Outcome::Success), 1, "it starts at 0");
    let again = r#"circuit_breaker_call_duration_seconds_count{breaker="set/b",outcome="success"}"#;
    assert_eq!(sample(&vitals, again), Some(1));
    assert_eq!(names(&vitals), ["set/a", "set/b", "set/d"]);
    assert_eq!((keyed.len(), overflow(&vitals)), (3, None));
}

#[test]
fn recency_is_told_even_when_the_clock_stands_still() {
    let (keyed, vitals, _) = setting(3);
    for key in ["a", "b", "c", "a", "d"] {
        let _ = keyed.get(key);
    }
    assert_eq!(names(&vitals), ["set/a", "set/c", "set/d"]);
}

#[test]
fn what_somebody_needs_stays_and_newcomers_share_what_lets_all_through() {
    let (keyed, vitals, _) = setting(5);
    let breakers = CircuitBreakers::of(&vitals);
    end(&keyed, "open", Verdict::FAILURE);
    let _held = keyed.get("held");
    let in_flight = keyed.try_acquire("in_flight").unwrap();
    let _ = (keyed.get("shadow"), keyed.get("disabled"));
    assert!(breakers.shadow("set/shadow") && breakers.disable("set/disabled"));
    for _ in 0..2 {
        for key in ["stranger", "other"] {
            for _ in 0..3 {
                end(&keyed, key, Verdict::FAILURE);
            }
        }
    }
    let all = ["_other", "disabled", "held", "in_flight", "open", "shadow"];
    assert_eq!(names(&vitals), all.map(|key| format!("set/{key}")));
    assert_eq!((evictions(&vitals), overflow(&vitals)), (0, Some(12)));
    let other = keyed.other().status();
    assert_eq!((other.state, other.mode), (State::Closed, Mode::Disabled));
    assert_eq!(other.calls(Outcome::Failure), 12);

    in_flight.record(Verdict::SUCCESS);
    end(&keyed, "stranger", Verdict::SUCCESS);
    assert_eq!((evictions(&vitals), overflow(&vitals)), (1, Some(12)));
    assert!(names(&vitals).contains(&"set/stranger".to_owned()) && breakers.get("set/in_flight").is_none());
    assert!(breakers.reset("set/open"));
    let _ = (keyed.get("x").name().to_owned(), keyed.get("y").name().to_owned());
    assert!(breakers.get("set/open").is_none());
}

#[test]
fn names_cannot_be_taken_twice() {
    let vitals = Vitals::new();
    let build = |name: &str| CircuitBreaker::builder(name).build(&vitals);
    let keyed = |name: &str, budget| CircuitBreaker::builder(name).keyed(&vitals, budget);
    let set = keyed("a/b", 2).unwrap();
    let _ = set.get("c");
    assert_eq!(keyed("a/b", 2).unwrap().len(), 1, "the same set");
    let said = |error: &dyn std::fmt::Display| error.to_string();
    assert!(said(&keyed("a/b", 3).unwrap_err()).contains("budget of keys is 2 there and 3 here"));
    assert!(build("a/b").unwrap_err().is_conflict());
    assert!(said(&build("a/b/c").unwrap_err()).contains("keyed breakers `a/b`"));
    assert!(said(&keyed("a", 2).unwrap_err()).contains("circuit breaker `a/b`"));
    assert!(build("a/bc").is_ok() && build("a").is_ok());
    assert!(keyed("a", 2).unwrap_err().is_conflict());
    for budget in [0, 1_000_001] {
        assert!(said(&keyed("set", budget).unwrap_err()).contains("from 1 to 1000000"));
    }
    assert!(keyed(&"s".repeat(257), 1).is_err());
}

#[test]
fn keys_that_read_the_same_share_a_breaker() {
    let (keyed, vitals, _) = setting(10);
    let long = "é".repeat(2_000);
    let keys = [
        "a\0b",
        "a\u{FFFD}b",
        &long,
        &format!("{long}x"),
        &"\0".repeat(600),
        "",
        "_other",
        "x/y",
    ];
    for key in keys {
        end(&keyed, key, Verdict::SUCCESS);
    }
    let names = names(&vitals);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert_eq!((keyed.len(), names.len()), (5, 6), "{names:?}");
    assert!(names.iter().all(|name| name.len() <= 1_024));
    let text = vitals.encode_to_string(Protocol::TEXT);
    let states: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("circuit_breaker_state{"))
        .collect();
    assert_eq!(states.iter().collect::<BTreeSet<_>>().len(), 6);
    assert!(names.iter().all(|name| CircuitBreakers::of(&vitals).get(name).is_some()));
}

#[test]
fn a_hundred_thousand_keys_leave_no_more_than_the_budget() {
    let (keyed, vitals, _) = setting(100);
    for key in 0..10 {
        end(&keyed, &format!("open {key}"), Verdict::FAILURE);
    }
    for key in 0..100_000_u32 {
        end(&keyed, &format!("{key:x}"), Verdict::SUCCESS);
    }
    assert_eq!(
        (keyed.len(), evictions(&vitals), overflow(&vitals)),
        (100, 100_000 - 90, None)
    );
    let text = vitals.encode_to_string(Protocol::TEXT);
    for family in ["circuit_breaker_state{", "circuit_breaker_call_duration_seconds_count{"] {
        assert_eq!(text.lines().filter(|line| line.starts_with(family)).count(), 100, "{family}");
    }
    let open = CircuitBreakers::of(&vitals)
        .list()
        .into_iter()
        .filter(|status| status.state == State::Open);
    assert_eq!(open.count(), 10);
    assert_eq!(keyed.get("1869f").status().calls(Outcome::Success), 1, "the last is there");
}

#[test]
fn threads_that_ask_at_once_get_one_breaker_a_key() {
    let (keyed, vitals, _) = setting(8);
    let barrier = Barrier::new(4);
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let (keyed, barrier) = (&keyed, &barrier);
            scope.spawn(move || {
                for round in 0..200_u32 {
                    barrier.wait();
                    // All ask for the same new key, and each then presses with keys of its own.
                    let mine = keyed.get(&format!("round {round}"));
                    let permit = mine.try_acquire().unwrap();
                    barrier.wait();
                    for key in 0..4 {
                        let _ = keyed.get(&format!("{thread} {round} {key}"));
                    }
                    permit.record(Verdict::SUCCESS);
                    barrier.wait();
                    assert_eq!(mine.status().calls(Outcome::Success), 4, "one breaker for all");
                }
            });
        }
    });
    assert!(keyed.len() <= 8);
    assert_eq!(names(&vitals).iter().collect::<BTreeSet<_>>().len(), names(&vitals).len());
}
