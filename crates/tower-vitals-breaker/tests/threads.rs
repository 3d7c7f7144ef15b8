//! Threads that call one breaker at the same time, through many states: whenever none is in a call, all numbers agree.
#![allow(clippy::unwrap_used)] // also in what is not a test itself

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use tower_vitals_breaker::{
    CircuitBreaker, CircuitBreakers, Event, HalfOpen, OpenFor, Outcome, RejectReason, State, Status, Verdict, Window,
};
use tower_vitals_core::{Clock, ClosedLabel, ManualClock, Vitals};

const THREADS: usize = 8;
const ROUNDS: u32 = 300;
const PROBES: u32 = 3;

/// What the threads did.
#[derive(Default)]
struct Done {
    attempts: AtomicU64,
    rejected: AtomicU64,
    cancelled: AtomicU64,
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Makes some calls, a few of them at the same time, and ends them all.
fn call(breaker: &CircuitBreaker, clock: &ManualClock, rng: &mut Rng, done: &Done) {
    // How bad it is now.
    let failures = rng.u32(0..=10);
    let mut permits = Vec::new();
    for _ in 0..rng.u32(1..60) {
        add(&done.attempts);
        match breaker.try_acquire() {
            Ok(permit) => permits.push(permit),
            Err(_) => add(&done.rejected),
        }
        if rng.u32(0..20) == 0 {
            clock.advance(Duration::from_millis(rng.u64(0..300)));
        }
        while permits.len() > rng.usize(0..4) {
            let permit = permits.swap_remove(rng.usize(0..permits.len()));
            match rng.u32(0..14) {
                0 => {
                    drop(permit);
                    add(&done.cancelled);
                }
                1 => permit.record(Verdict::IGNORED),
                other if other % 11 < failures => permit.record(Verdict::FAILURE),
                _ => permit.record(Verdict::SUCCESS),
            }
        }
    }
    done.cancelled.fetch_add(permits.len() as u64, Ordering::Relaxed);
}

/// Notes the round of a panic, after which nobody waits for a thread that is gone.
fn noting(failed: &AtomicU32, round: u32, run: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(run)).is_err() {
        failed.fetch_min(round, Ordering::SeqCst);
    }
}

/// Everything that was counted is what was done.
fn agrees(status: &Status, done: &Done, heard: &[(State, State)]) {
    let calls: u64 = Outcome::ALL.iter().map(|outcome| status.calls(*outcome)).sum();
    let rejected = status.rejected(RejectReason::Open) + status.rejected(RejectReason::HalfOpenFull);
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    assert_eq!(
        (calls + rejected, rejected),
        (of(&done.attempts), of(&done.rejected)),
        "{status:?}"
    );
    assert_eq!(status.calls(Outcome::Cancelled), of(&done.cancelled), "{status:?}");
    assert_eq!(status.half_open_in_flight, 0, "{status:?}");
    assert_eq!(status.transitions(), heard.len() as u64, "{status:?}");
    assert!(heard.windows(2).all(|two| two[0].1 == two[1].0), "{heard:?}");
    assert_eq!(heard.last().map_or(State::Closed, |(_, to)| *to), status.state);
}

fn run(window: Window, seed: u64) {
    let clock = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&clock)).build().unwrap();
    let builder = CircuitBreaker::builder("a")
        .window(window)
        .failure_rate(0.5)
        .minimum_calls(10);
    let builder = builder.open_for(OpenFor::exponential(Duration::from_millis(50), Duration::from_secs(1)));
    let breaker = builder.half_open(HalfOpen::new(PROBES)).build(&vitals).unwrap();
    let heard = Arc::<Mutex<Vec<(State, State)>>>::default();
    let hears = Arc::clone(&heard);
    let _subscription = CircuitBreakers::of(&vitals).subscribe(move |event| {
        if let Event::Transition { from, to, .. } = event {
            hears.lock().unwrap().push((*from, *to));
        }
    });
    let (done, barrier, failed) = (Done::default(), Barrier::new(THREADS + 1), AtomicU32::new(u32::MAX));
    // Twice in a round, so that all stand still while the numbers are looked at.
    let rounds = |part: &mut dyn FnMut(bool)| {
        for round in 0..ROUNDS {
            noting(&failed, round, || part(true));
            barrier.wait();
            noting(&failed, round, || part(false));
            barrier.wait();
            if failed.load(Ordering::SeqCst) <= round {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let mut rng = Rng::with_seed(seed * 8 + thread as u64);
            let (rounds, breaker, clock, done) = (&rounds, &breaker, &clock, &done);
            scope.spawn(move || {
                rounds(&mut |moves| {
                    if moves {
                        call(breaker, clock, &mut rng, done);
                    }
                });
            });
        }
        rounds(&mut |moves| {
            if !moves {
                agrees(&breaker.status(), &done, &heard.lock().unwrap());
            }
        });
    });
    assert_eq!(
        failed.into_inner(),
        u32::MAX,
        "seed {seed}: the round in which a thread panicked"
    );
    has_seen_all(&breaker.status());
}

fn has_seen_all(status: &Status) {
    use Outcome::{Cancelled, Failure, Ignored, Stale, Success};
    for outcome in [Success, Failure, Ignored, Cancelled, Stale] {
        assert!(status.calls(outcome) > 0, "{outcome:?}: {status:?}");
    }
    let full = status.rejected(RejectReason::HalfOpenFull);
    assert!(status.transitions() > 100 && full > 0, "{status:?}");
}

#[test]
fn numbers_agree_with_a_window_of_time() {
    (1..=2).for_each(|seed| run(Window::time(Duration::from_secs(2)), seed));
}

#[test]
fn numbers_agree_with_a_window_of_calls() {
    (3..=4).for_each(|seed| run(Window::count(30), seed));
}
