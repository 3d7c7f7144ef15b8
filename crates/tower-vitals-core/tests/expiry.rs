//! Families whose series go when they are not used.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use tower_vitals_core::{
    Clock, Counter, CounterFamily, Descriptor, FamilyBuilder, Handle, Labels, ManualClock, Vitals,
    encode::{Number, Point, Protocol, Visitor},
};

/// The period of all families here. Uses are noted to within a second then, and sweeps are a second apart.
const PERIOD: Duration = Duration::from_secs(64);
const SECOND: Duration = Duration::from_secs(1);

fn vitals() -> (Vitals, ManualClock) {
    let manual = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&manual)).build();
    let vitals = vitals.expect("nothing is wrong with it");
    (vitals, manual)
}

fn jobs(vitals: &Vitals) -> FamilyBuilder<Counter> {
    vitals.counter("jobs", "Jobs run").expire_after(PERIOD)
}

/// Label values of all series of `jobs_total` in a scrape, with the value and the start.
fn scrape(vitals: &Vitals) -> HashMap<String, (u64, SystemTime)> {
    #[derive(Default)]
    struct Jobs {
        is_it: bool,
        series: HashMap<String, (u64, SystemTime)>,
    }
    impl Visitor for Jobs {
        fn family(&mut self, descriptor: &Descriptor) {
            self.is_it = descriptor.name() == "jobs";
        }

        fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>) {
            if let (true, Point::Counter(counter)) = (self.is_it, point) {
                let Number::Unsigned(value) = counter.value else {
                    panic!("it counts whole numbers");
                };
                let values: Vec<_> = labels.pairs().map(|(_, value)| value).collect();
                self.series.insert(values.join(","), (value, counter.start));
            }
        }
    }
    let mut jobs = Jobs::default();
    vitals.visit(&mut jobs);
    jobs.series
}

fn shown(vitals: &Vitals) -> Vec<(String, u64)> {
    let mut series: Vec<_> = scrape(vitals)
        .into_iter()
        .map(|(values, (value, _))| (values, value))
        .collect();
    series.sort_unstable();
    series
}

fn is_shown(vitals: &Vitals, values: &str) -> bool {
    scrape(vitals).contains_key(values)
}

fn overflow(vitals: &Vitals, label: &str) -> u64 {
    let text = vitals.encode_to_string(Protocol::TEXT);
    let sample = format!("vitals_label_overflow_total{{family=\"jobs_total\",label=\"{label}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&sample).map(str::to_owned));
    line.map_or(0, |value| value.parse().expect("a number"))
}

#[test]
fn a_series_that_nobody_used_goes_and_comes_back_at_zero() {
    let (vitals, clock) = vitals();
    let jobs = jobs(&vitals).labels(["queue"]).unwrap();
    jobs.with(["a"]).inc_by(7);
    let first = scrape(&vitals)["a"];
    clock.advance(PERIOD - Duration::from_nanos(1));
    assert!(is_shown(&vitals, "a"), "not before its time");
    clock.advance(2 * SECOND);
    let text = vitals.encode_to_string(Protocol::TEXT);
    assert!(!text.contains("jobs_total{") && !text.contains("# TYPE jobs_total"), "{text}");
    assert!(text.contains(r#"vitals_series{family="jobs_total"} 0"#), "{text}");
    assert!(jobs.get(["a"]).is_none() && jobs.is_empty());

    jobs.with(["a"]).inc();
    let (value, start) = scrape(&vitals)["a"];
    assert_eq!(value, 1);
    assert_eq!(
        start.duration_since(first.1).unwrap(),
        PERIOD - Duration::from_nanos(1) + 2 * SECOND
    );
    assert!(!text.contains("_other"), "what went is not added to anything");
}

#[test]
fn series_are_counted_as_they_are_shown() {
    let (vitals, clock) = vitals();
    let workers = vitals.gauge("workers", "Shown after vitals_series").expire_after(PERIOD);
    workers.labels(["site"]).unwrap().with(["a"]).set(1);
    let text = || vitals.encode_to_string(Protocol::TEXT);
    assert!(text().contains(r#"vitals_series{family="workers"} 1"#));
    clock.advance(PERIOD + SECOND);
    let text = text();
    assert!(
        text.contains(r#"vitals_series{family="workers"} 0"#) && !text.contains("workers{"),
        "{text}"
    );
}

#[test]
fn who_is_used_stays_for_ever() {
    let (vitals, clock) = vitals();
    let jobs = jobs(&vitals).labels_of(&["queue"]).unwrap();
    jobs.with(&["a"]).inc();
    jobs.with(&["b"]).inc();
    for _ in 0..100 {
        clock.advance(PERIOD / 2);
        jobs.with(&["a"]).inc();
        jobs.get(&["b"]).expect("to get it is to use it").inc();
        assert_eq!(scrape(&vitals).len(), 2);
    }
    assert_eq!(jobs.with(&["a"]).get(), 101);
}

#[test]
fn a_use_counts_however_long_ago_the_one_before() {
    // Uses close to one another are not all noted, but the last must be.
    for gap in [0, 1, 500, 999, 1_000, 1_001, 30_000, 63_999] {
        let (vitals, clock) = vitals();
        let jobs = jobs(&vitals).labels(["queue"]).unwrap();
        jobs.with(["a"]).inc();
        clock.advance(Duration::from_millis(gap));
        jobs.with(["a"]).inc();
        clock.advance(PERIOD - Duration::from_nanos(1));
        assert_eq!(shown(&vitals), [("a".into(), 2)], "{gap}");
        clock.advance(2 * SECOND);
        assert_eq!(shown(&vitals), [], "{gap}");
    }
}

#[test]
fn a_held_series_stays_and_is_used_when_it_is_last_seen_held() {
    let (vitals, clock) = vitals();
    let jobs = jobs(&vitals).labels(["queue"]).unwrap();
    let held = jobs.with(["a"]).hold();
    for _ in 0..10 {
        clock.advance(PERIOD * 3);
        assert!(is_shown(&vitals, "a"));
        held.inc();
    }
    clock.advance(PERIOD / 2);
    assert!(is_shown(&vitals, "a"));
    drop(held);
    clock.advance(PERIOD - SECOND);
    assert_eq!(shown(&vitals), [("a".into(), 10)], "it was held when it was seen last");
    clock.advance(2 * SECOND);
    assert_eq!(shown(&vitals), []);
}

#[test]
fn what_is_in_flight_stays_without_a_handle() {
    let (vitals, clock) = vitals();
    let running = vitals
        .in_flight("jobs_running", "Jobs that run now")
        .expire_after(PERIOD)
        .labels(["queue"])
        .unwrap();
    let a = running.with(["a"]);
    a.begin();
    running.with(["b"]).begin();
    running.with(["b"]).end();
    let is_shown = |queue: &str| {
        let text = vitals.encode_to_string(Protocol::TEXT);
        text.contains(&format!("jobs_running{{queue=\"{queue}\"}}"))
    };
    assert!(is_shown("a") && is_shown("b"));
    for _ in 0..3 {
        clock.advance(PERIOD + 2 * SECOND);
        assert!(is_shown("a") && !is_shown("b"));
    }
    a.end();
    drop(a);
    clock.advance(PERIOD - SECOND);
    assert!(is_shown("a"));
    clock.advance(3 * SECOND);
    assert!(!is_shown("a"));
}

#[test]
fn a_full_label_takes_new_values_once_old_ones_are_idle() {
    let (vitals, clock) = vitals();
    let jobs = jobs(&vitals).budget("user", 2).labels(["user", "outcome"]).unwrap();
    for outcome in ["ok", "failed"] {
        jobs.with(["a", outcome]).inc();
        jobs.with(["b", outcome]).inc();
        jobs.with(["c", outcome]).inc();
    }
    assert_eq!(overflow(&vitals, "user"), 2);
    clock.advance(PERIOD);
    // One of the series of each keeps its value known.
    jobs.with(["a", "ok"]).inc();
    jobs.with(["_other", "ok"]).inc();
    clock.advance(2 * SECOND);
    jobs.with(["d", "ok"]).inc();
    jobs.with(["e", "ok"]).inc();
    jobs.with(["a", "failed"]).inc();
    let mut expected =
        [("_other,ok", 3), ("a,ok", 2), ("a,failed", 1), ("d,ok", 1)].map(|(values, count)| (values.into(), count));
    expected.sort_unstable();
    assert_eq!(shown(&vitals), expected);
    assert_eq!(
        overflow(&vitals, "user"),
        3,
        "e found no room, and d did without being counted"
    );
}

#[test]
fn a_full_family_makes_new_series_once_old_ones_are_idle() {
    let (vitals, clock) = vitals();
    let jobs = jobs(&vitals).series_budget(2).labels(["user"]).unwrap();
    for user in ["a", "b", "c"] {
        jobs.with([user]).inc();
    }
    assert_eq!((jobs.len(), overflow(&vitals, "_series")), (3, 1));
    clock.advance(PERIOD);
    jobs.with(["b"]).inc();
    clock.advance(2 * SECOND);
    jobs.with(["d"]).inc();
    assert_eq!(shown(&vitals), [("b".into(), 2), ("d".into(), 1)]);
    assert_eq!(overflow(&vitals, "_series"), 1);
}

#[test]
fn a_series_that_is_removed_makes_room_for_its_values() {
    let (vitals, _clock) = vitals();
    let expiring = jobs(&vitals).budget("user", 1).labels(["user", "outcome"]).unwrap();
    let lasting = vitals
        .counter("calls", "Calls")
        .budget("user", 1)
        .labels(["user", "outcome"])
        .unwrap();
    for family in [&expiring, &lasting] {
        family.with(["a", "ok"]).inc();
        family.with(["a", "failed"]).inc();
        assert!(family.remove(["a", "ok"]));
        family.with(["b", "ok"]).inc();
        assert!(family.get(["b", "ok"]).is_none(), "a series has the value still");
        assert!(family.remove(["a", "failed"]));
        family.with(["b", "ok"]).inc();
    }
    assert!(expiring.get(["b", "ok"]).is_some());
    assert!(lasting.get(["b", "ok"]).is_none(), "without expiry a value is known for ever");
}

#[test]
fn a_value_that_was_let_in_for_no_series_is_forgotten() {
    let (vitals, clock) = vitals();
    let jobs = jobs(&vitals).budget("user", 1).labels(["user"]).unwrap();
    assert!(jobs.admits(0, "a"));
    assert!(jobs.admits(0, "b"), "room was needed, and nobody has a");
    assert!(!jobs.admits(0, "c"), "it is not looked again so soon");
    jobs.with(["b"]).inc();
    clock.advance(SECOND);
    assert!(!jobs.admits(0, "c") && jobs.get(["b"]).is_some());
}

#[test]
fn a_family_that_would_expire_at_once_is_refused() {
    let (vitals, _clock) = vitals();
    let error = jobs(&vitals).expire_after(Duration::ZERO).labels(["a"]).unwrap_err();
    assert_eq!(error.to_string(), "`jobs`: series must be kept for longer than no time");
    let jobs = |idle| jobs(&vitals).expire_after(idle).labels(["a"]);
    jobs(Duration::MAX).unwrap();
    jobs(Duration::from_nanos(1)).expect("expiry is not part of the shape");
}

#[test]
fn the_shortest_time_is_no_trouble() {
    let (vitals, clock) = vitals();
    let jobs = jobs(&vitals).expire_after(Duration::from_nanos(1)).labels(["a"]).unwrap();
    jobs.with(["x"]).inc();
    assert_eq!(shown(&vitals).len(), 1);
    clock.advance(Duration::from_nanos(1));
    assert_eq!(shown(&vitals).len(), 0);
}

/// Threads use, hold and remove series of more values than there is room for while time passes and scrapes come.
#[test]
fn threads_never_lose_what_they_hold_nor_go_beyond_a_budget() {
    const ROOM: usize = 8;
    let (vitals, clock) = vitals();
    let jobs = jobs(&vitals).budget("user", ROOM).labels(["user", "outcome"]).unwrap();
    let stop = AtomicBool::new(false);
    let recorded = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let (jobs, recorded, stop) = (&jobs, &recorded, &stop);
            scope.spawn(move || {
                let mut held: Vec<([String; 2], Handle<Counter>, u64)> = Vec::new();
                let mut random = thread + 1;
                for _ in 0..20_000 {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    let draw = random >> 33;
                    let user = format!("{}", draw % 24);
                    let outcome = ["ok", "failed"][usize::from(draw % 2 == 0)];
                    jobs.with([&user, outcome]).inc();
                    recorded.fetch_add(1, Ordering::Relaxed);
                    if draw % 7 == 0 {
                        jobs.remove([&user, outcome]);
                    }
                    if let (0, Some(series)) = (draw % 5, jobs.get([&user, outcome])) {
                        let before = series.get();
                        held.push(([user, outcome.into()], series.hold(), before));
                    }
                    if held.len() > 3 {
                        let (values, handle, before) = held.remove(0);
                        handle.inc();
                        let found = jobs.get([&values[0], &values[1]]).expect("it is held");
                        assert!(found.get() > before, "it is the same series");
                        assert!(!jobs.remove([&values[0], &values[1]]));
                    }
                }
                stop.store(true, Ordering::Relaxed);
            });
        }
        while !stop.load(Ordering::Relaxed) {
            clock.advance(PERIOD / 32);
            let series = scrape(&vitals);
            // A scrape lasts, so a value may go and another come while it does; the family itself is never beyond.
            assert!(jobs.len() <= 2 * (ROOM + 1), "{series:?}");
        }
    });
    let users: HashSet<_> = scrape(&vitals)
        .into_keys()
        .map(|values| values.split(',').next().unwrap().to_owned())
        .collect();
    assert!(users.iter().filter(|user| *user != "_other").count() <= ROOM);
    assert!(recorded.into_inner() >= 60_000);

    // Nothing is held any more, so all room comes back, and no more than that.
    clock.advance(PERIOD + 2 * SECOND);
    assert_eq!(shown(&vitals), []);
    let before = overflow(&vitals, "user");
    for user in 0..=ROOM {
        jobs.with([&format!("new {user}"), "ok"]).inc();
    }
    assert_eq!(overflow(&vitals, "user") - before, 1);
    assert!(jobs.get(["_other", "ok"]).is_some() && jobs.len() == ROOM + 1);
}

#[derive(Clone, Debug)]
enum Step {
    Use(usize),
    Hold(usize),
    Release,
    Wait(u64),
    Scrape,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..6).prop_map(Step::Use),
        1 => (0_usize..6).prop_map(Step::Hold),
        1 => Just(Step::Release),
        3 => (0_u64..40_000).prop_map(Step::Wait),
        2 => Just(Step::Scrape),
    ]
}

/// What a user of the family knows of a series.
struct Seen {
    count: u64,
    /// It stays for a period after this at least.
    used: Duration,
    /// It is gone some seconds more than a period after this.
    latest: Duration,
}

/// A family with room for three values, and what its user knows of it.
struct Played {
    vitals: Vitals,
    clock: ManualClock,
    jobs: CounterFamily<1>,
    now: Duration,
    held: Vec<(String, Handle<Counter>)>,
    known: HashMap<String, Seen>,
}

impl Played {
    const ROOM: usize = 3;

    fn new() -> Self {
        let (vitals, clock) = vitals();
        let jobs = jobs(&vitals).budget("user", Self::ROOM).labels(["user"]);
        Self {
            jobs: jobs.expect("nothing is wrong with it"),
            vitals,
            clock,
            now: Duration::ZERO,
            held: Vec::new(),
            known: HashMap::new(),
        }
    }

    fn play(&mut self, step: &Step) {
        for (user, _) in &self.held {
            self.known.get_mut(user).expect("what is held is known").latest = self.now;
        }
        match step {
            Step::Wait(millis) => {
                let time = Duration::from_millis(*millis);
                self.clock.advance(time);
                self.now += time;
            }
            Step::Release => drop(self.held.pop()),
            Step::Use(user) => drop(self.record(&user.to_string())),
            Step::Hold(user) => {
                let user = user.to_string();
                if let Some(handle) = self.record(&user) {
                    self.held.push((user, handle));
                }
            }
            Step::Scrape => self.scrape(),
        }
    }

    fn must_be_there(&self, user: &str) -> bool {
        let is_held = self.held.iter().any(|(held, _)| held == user);
        is_held || self.known.get(user).is_some_and(|seen| self.now - seen.used < PERIOD)
    }

    fn must_be_gone(&self, user: &str) -> bool {
        let is_held = self.held.iter().any(|(held, _)| held == user);
        !is_held
            && self
                .known
                .get(user)
                .is_none_or(|seen| self.now - seen.latest >= PERIOD + 3 * SECOND)
    }

    /// The handle, unless there was no room.
    fn record(&mut self, user: &str) -> Option<Handle<Counter>> {
        let before = self.known.get(user).map(|seen| seen.count);
        let series = self.jobs.with([user]);
        series.inc();
        if self.jobs.get([user]).is_none() {
            assert!(!self.must_be_there(user));
            let others = self.known.keys().filter(|other| !self.must_be_gone(other)).count();
            assert!(others >= Self::ROOM, "there was room");
            self.known.remove(user);
            return None;
        }
        let count = series.get();
        let stayed = before.map(|before| before + 1);
        assert!(
            stayed == Some(count) || (count == 1 && !self.must_be_there(user)),
            "{count}, {stayed:?}"
        );
        let (used, latest) = (self.now, self.now);
        self.known.insert(user.to_owned(), Seen { count, used, latest });
        Some(series.hold())
    }

    fn scrape(&mut self) {
        let series = scrape(&self.vitals);
        assert!(series.keys().filter(|user| *user != "_other").count() <= Self::ROOM);
        for (user, seen) in &self.known {
            let shown = series.get(user).map(|series| series.0);
            assert!(
                shown == Some(seen.count) || (shown.is_none() && !self.must_be_there(user)),
                "{user} is {shown:?}"
            );
            assert!(shown.is_none() || !self.must_be_gone(user), "{user} should have gone");
        }
        self.known.retain(|user, _| series.contains_key(user));
        for (user, _) in &self.held {
            let seen = self.known.get_mut(user).expect("what is held is shown");
            // If it was not looked for what is held, that was done within the last second.
            seen.used = seen.used.max(self.now.saturating_sub(SECOND));
        }
    }
}

proptest! {
    /// Whatever is done, series go neither too early nor too late, and there is room when there should be.
    #[test]
    fn series_go_in_their_time(steps in prop::collection::vec(step(), 1..120)) {
        let mut played = Played::new();
        for step in &steps {
            played.play(step);
        }
    }
}
