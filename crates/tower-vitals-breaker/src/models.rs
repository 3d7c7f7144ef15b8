//! Models: what permits, transitions and windows promise, run by loom through every order in which threads and memory may act.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p tower-vitals-breaker --lib --target-dir target/loom models
//! ```
//!
//! Threads are stopped in favour of another at most [`STOPS`] times in all (`LOOM_MAX_PREEMPTIONS` says another number), and a load may
//! give every value that memory allows, old ones included.
//!
//! Loom takes `SeqCst` for less than it is. So nothing here asks that a failure is judged at once where that rests on it.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

use loom::{model::Builder, thread::JoinHandle};
use tower_vitals_core::{Clock, ManualClock};

use crate::{
    CircuitBreaker, CircuitBreakerBuilder, HalfOpen, OpenFor, Outcome, State, Verdict, Window,
    machine::{Change, Ticket},
    recent::{Bucket, CountWindow, Counts, Mark, TimeWindow, ring},
    settings::WindowKind,
    shared::{Listener, Shared},
    sync::Arc,
};

/// Every mistake that was tried on these models showed within two.
const STOPS: usize = 2;

const OPEN_FOR: Duration = Duration::from_millis(50);
const FAILED: Mark = Mark {
    failed: true,
    slow: false,
};
const GOOD: Mark = Mark {
    failed: false,
    slow: false,
};

/// Runs a model in all its orders.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(STOPS));
    builder.max_branches = 10_000;
    builder.check(model);
}

/// A thread that is given something that all share.
fn spawn<S: Send + Sync + 'static, R: 'static>(shared: &Arc<S>, run: impl FnOnce(&S) -> R + Send + 'static) -> JoinHandle<R> {
    let shared = Arc::clone(shared);
    loom::thread::spawn(move || run(&shared))
}

struct Nobody;

impl Listener for Nobody {
    fn note(&self, _: &Shared, _: &Change, _: SystemTime) {}
    fn tell(&self) {}
}

/// A breaker, and what moves its clock.
struct Breaker {
    shared: Shared,
    clock: ManualClock,
    /// Probes that tests have on their way.
    probes: AtomicU32,
}

impl Breaker {
    fn new(told: CircuitBreakerBuilder) -> Arc<Self> {
        let clock = ManualClock::new();
        let mut settings = told.open_for(OpenFor::constant(OPEN_FOR)).settings().unwrap();
        if let WindowKind::Time { buckets, .. } = &mut settings.window.kind {
            // Two buckets show what ten do, in less time.
            *buckets = 2;
        }
        let shared = Shared::new("b", settings, Clock::manual(&clock), Arc::new(Nobody), None);
        let probes = AtomicU32::new(0);
        Arc::new(Self { shared, clock, probes })
    }

    /// One whose open time is over.
    fn due(half_open: HalfOpen) -> Arc<Self> {
        let breaker = Self::new(trips_after(Kind::Row, 1).half_open(half_open));
        let ticket = breaker.acquire().unwrap();
        breaker.end(ticket, Verdict::FAILURE);
        breaker.clock.advance(OPEN_FOR);
        breaker
    }

    fn acquire(&self) -> Option<Ticket> {
        self.shared.acquire().ok()
    }

    fn end(&self, ticket: Ticket, verdict: Verdict) -> Outcome {
        self.shared.end(ticket, verdict, self.shared.clock().nanos(), None)
    }

    /// A call that ends so, or is cancelled; says whether it was a probe. No more than `most` probes are on their way.
    fn call(&self, verdict: Option<Verdict>, most: u32) -> bool {
        let Some(ticket) = self.acquire() else {
            return false;
        };
        let is_probe = matches!(ticket, Ticket::Probe { .. });
        if is_probe {
            let before = self.probes.fetch_add(1, Ordering::Relaxed);
            assert!(before < most, "{} probes at once", before + 1);
            // A load, at which another thread may come.
            self.shared.word();
            self.probes.fetch_sub(1, Ordering::Relaxed);
        }
        match verdict {
            Some(verdict) => _ = self.end(ticket, verdict),
            None => self.shared.cancel(ticket),
        }
        is_probe
    }

    fn reset(&self) {
        self.shared.order(|machine, now| machine.reset(now));
    }

    fn state(&self) -> State {
        self.shared.snapshot().state
    }

    fn recent(&self) -> Counts {
        self.shared.snapshot().recent
    }

    /// How often it went from one state into another.
    fn moves(&self, from: State, to: State) -> u64 {
        let transitions = self.shared.snapshot().transitions;
        let of_these = transitions.each().filter(|moved| (moved.0, moved.1) == (from, to));
        of_these.map(|moved| moved.3).sum()
    }
}

/// What opens a breaker.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Row,
    Time,
    Count,
}

const KINDS: [Kind; 3] = [Kind::Row, Kind::Time, Kind::Count];

/// Opens after so many failures, and nothing else.
fn trips_after(kind: Kind, failures: u32) -> CircuitBreakerBuilder {
    let builder = CircuitBreaker::builder("b");
    let of_rate = |builder: CircuitBreakerBuilder| builder.failure_rate(0.5).minimum_calls(failures);
    match kind {
        Kind::Row => builder.window(Window::count(2)).consecutive_failures(failures),
        Kind::Time => of_rate(builder.window(Window::time(Duration::from_secs(10)))),
        Kind::Count => of_rate(builder.window(Window::count(2))),
    }
}

// === permits ===

#[test]
fn places_of_probes_come_back_all_and_no_more() {
    explore(|| {
        let breaker = Breaker::due(HalfOpen::new(9).at_once(2));
        let others = [None, Some(Verdict::IGNORED)].map(|how| spawn(&breaker, move |breaker| breaker.call(how, 2)));
        breaker.call(Some(Verdict::SUCCESS), 2);
        others.into_iter().for_each(|other| _ = other.join().unwrap());
        assert_eq!(breaker.shared.snapshot().half_open_in_flight, 0);
        let free = (0..4).filter(|_| breaker.acquire().is_some()).count();
        assert_eq!((free, breaker.shared.snapshot().half_open_in_flight), (2, 2));
    });
}

#[test]
fn no_more_than_the_permitted_probes_go_through_and_they_close_once() {
    explore(|| {
        let breaker = Breaker::due(HalfOpen::new(2));
        let others = [(); 2].map(|()| spawn(&breaker, |breaker| breaker.call(Some(Verdict::SUCCESS), 2)));
        let mine = breaker.call(Some(Verdict::SUCCESS), 2);
        let others = others.map(|other| other.join().unwrap());
        // A caller may have been rejected while the breaker became half-open.
        let last = breaker.call(Some(Verdict::SUCCESS), 1);
        let probes = others.into_iter().chain([mine, last]).filter(|is_probe| *is_probe);
        assert_eq!((probes.count(), breaker.state()), (2, State::Closed));
        assert_eq!(breaker.moves(State::Open, State::HalfOpen), 1);
        assert_eq!(breaker.moves(State::HalfOpen, State::Closed), 1);
    });
}

#[test]
fn a_probe_of_an_earlier_round_frees_no_place() {
    explore(|| {
        let breaker = Breaker::due(HalfOpen::new(2));
        let (first, late) = (breaker.acquire().unwrap(), breaker.acquire().unwrap());
        let other = spawn(&breaker, move |breaker| breaker.shared.cancel(late));
        breaker.end(first, Verdict::FAILURE);
        breaker.clock.advance(OPEN_FOR);
        breaker.acquire().unwrap();
        other.join().unwrap();
        assert_eq!(breaker.shared.snapshot().half_open_in_flight, 1);
        assert!(breaker.acquire().is_some() && breaker.acquire().is_none());
    });
}

// === transitions ===

#[test]
fn two_callers_that_find_the_open_time_over_make_one_transition_and_one_probe() {
    explore(|| {
        let breaker = Breaker::due(HalfOpen::new(1));
        let other = spawn(&breaker, |breaker| breaker.acquire().is_some());
        let mine = breaker.acquire().is_some();
        assert_ne!(mine, other.join().unwrap());
        assert_eq!(breaker.moves(State::Open, State::HalfOpen), 1);
        assert_eq!(breaker.shared.snapshot().half_open_in_flight, 1);
    });
}

/// Two failures that come at once, after so many, each of which is enough when there were as many before as there must be.
fn two_failures_open_once(kind: Kind, must_be: u32) {
    explore(move || {
        let breaker = Breaker::new(trips_after(kind, must_be));
        let (one, two) = (breaker.acquire().unwrap(), breaker.acquire().unwrap());
        let other = spawn(&breaker, move |breaker| breaker.end(one, Verdict::FAILURE));
        breaker.end(two, Verdict::FAILURE);
        other.join().unwrap();
        // Both add to the same words, so the later one sees the other even here.
        assert_eq!(
            (breaker.state(), breaker.moves(State::Closed, State::Open)),
            (State::Open, 1),
            "{kind:?}"
        );
    });
}

#[test]
fn two_failures_that_are_enough_each_open_once() {
    KINDS.into_iter().for_each(|kind| two_failures_open_once(kind, 1));
}

#[test]
fn two_failures_that_are_enough_together_open_once() {
    KINDS.into_iter().for_each(|kind| two_failures_open_once(kind, 2));
}

// === late results ===

#[test]
fn a_late_failure_opens_nothing_after_a_reset() {
    for (kind, failures) in KINDS.into_iter().flat_map(|kind| [(kind, 1), (kind, 2)]) {
        explore(move || {
            let breaker = Breaker::new(trips_after(kind, failures));
            let late = breaker.acquire().unwrap();
            let other = spawn(&breaker, move |breaker| breaker.end(late, Verdict::FAILURE));
            breaker.reset();
            other.join().unwrap();
            assert_eq!(
                (breaker.state(), breaker.recent()),
                (State::Closed, Counts::default()),
                "{kind:?}"
            );
            opens_after(&breaker, failures);
        });
    }
}

#[test]
fn a_late_failure_opens_nothing_after_probes_closed() {
    for kind in KINDS {
        explore(move || {
            let breaker = Breaker::new(trips_after(kind, 1));
            let (late, first) = (breaker.acquire().unwrap(), breaker.acquire().unwrap());
            let now = breaker.shared.clock().nanos();
            let other = spawn(&breaker, move |breaker| breaker.shared.end(late, Verdict::FAILURE, now, None));
            breaker.end(first, Verdict::FAILURE);
            breaker.clock.advance(OPEN_FOR);
            assert!(breaker.call(Some(Verdict::SUCCESS), 1), "one of the two opened it");
            other.join().unwrap();
            assert_eq!(
                (breaker.state(), breaker.recent()),
                (State::Closed, Counts::default()),
                "{kind:?}"
            );
            assert_eq!(breaker.moves(State::Closed, State::Open), 1);
            opens_after(&breaker, 1);
        });
    }
}

#[test]
fn a_call_that_begins_after_a_reset_is_in_the_window_that_the_reset_began() {
    for kind in KINDS {
        explore(move || {
            let breaker = Breaker::new(trips_after(kind, 2));
            let other = spawn(&breaker, |breaker| {
                let ticket = breaker.acquire().unwrap();
                (ticket, breaker.end(ticket, Verdict::FAILURE))
            });
            breaker.reset();
            let (ticket, outcome) = other.join().unwrap();
            // Generation 1 passes within the reset, and what begins and ends in it may be counted or not.
            match ticket {
                Ticket::Counted { generation: 2 } => {
                    assert_eq!(
                        (outcome, breaker.recent().total, breaker.recent().failed),
                        (Outcome::Failure, 1, 1),
                        "{kind:?}"
                    );
                    opens_after(&breaker, 1);
                }
                Ticket::Counted { generation: 0 } => assert_eq!(breaker.recent(), Counts::default(), "{kind:?}"),
                _ => assert!(breaker.recent().total <= 1, "{kind:?}"),
            }
        });
    }
}

/// It takes exactly so many more failures to open it.
fn opens_after(breaker: &Breaker, failures: u32) {
    for _ in 0..failures {
        assert_eq!(breaker.state(), State::Closed);
        breaker.call(Some(Verdict::FAILURE), 0);
    }
    assert_eq!(breaker.state(), State::Open);
}

// === windows ===

/// Fills a window of two with failures and then with successes, and sees that nothing was left in its sums.
fn sums_are_exact(window: &CountWindow, generation: u64) {
    for (mark, failed) in [(FAILED, 2), (GOOD, 0)] {
        (0..2).for_each(|_| _ = window.record(generation, mark));
        let counts = window.counts(generation);
        assert_eq!((counts.total, counts.failed, counts.slow), (2, failed, 0));
    }
}

#[test]
fn sums_of_a_window_of_calls_are_exact_when_threads_are_done() {
    explore(|| {
        let window = Arc::new(CountWindow::new(2));
        window.begin(1);
        window.record(1, FAILED);
        let others = [FAILED, GOOD].map(|mark| spawn(&window, move |window| window.record(1, mark)));
        window.record(1, FAILED);
        others.into_iter().for_each(|other| _ = other.join().unwrap());
        let counts = window.counts(1);
        assert!(counts.total == 2 && counts.failed >= 1, "{counts:?}");
        sums_are_exact(&window, 1);
    });
}

#[test]
fn a_late_result_is_not_in_the_sums_of_the_next_window() {
    explore(|| {
        let window = Arc::new(CountWindow::new(2));
        window.begin(1);
        window.record(1, FAILED);
        let other = spawn(&window, |window| window.record(1, FAILED));
        window.begin(2);
        other.join().unwrap();
        assert_eq!(window.counts(2), Counts::default());
        sums_are_exact(&window, 2);
    });
}

/// Counts a failure at a time.
fn fail_at(shared: &(TimeWindow, Box<[Bucket]>), now: u64) {
    let (window, ring) = shared;
    window.record(ring, window.number(now, window.shift()), FAILED);
}

#[test]
fn nothing_is_lost_when_threads_empty_a_bucket_at_once() {
    explore(|| {
        let shared = Arc::new((TimeWindow::new(10, 2, 0), ring(2)));
        fail_at(&shared, 0);
        // Two thirds are of the time in which the bucket comes round, and one is late.
        let others = [20, 0].map(|now| spawn(&shared, move |shared| fail_at(shared, now)));
        fail_at(&shared, 20);
        others.into_iter().for_each(|other| _ = other.join().unwrap());
        let (window, ring) = &*shared;
        let mut counts = Counts::default();
        window.add_up(ring, window.number(20, window.shift()), &mut counts);
        assert_eq!((counts.total, counts.failed, counts.slow), (2, 2, 0));
    });
}
