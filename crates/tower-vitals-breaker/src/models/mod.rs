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

mod late_results;
mod permits;
mod transitions;
mod windows;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

use loom::{model::Builder, thread::JoinHandle};
use tower_vitals_core::{Clock, ManualClock};

use crate::{
    CircuitBreaker, CircuitBreakerBuilder, HalfOpen, OpenFor, Outcome, State, Verdict, Window,
    machine::{Change, Order, Ticket},
    recent::Counts,
    settings::WindowKind,
    shared::{Listener, Shared},
    sync::Arc,
    timing::Timing,
};

/// Every mistake that was tried on these models showed within two.
const STOPS: usize = 2;

const OPEN_FOR: Duration = Duration::from_millis(50);
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
        self.shared.acquire().ok().map(|(ticket, _)| ticket)
    }

    fn end(&self, ticket: Ticket, verdict: Verdict) -> Outcome {
        self.shared.end(ticket, verdict, self.shared.clock().nanos(), Timing::NONE)
    }

    /// A call that ends so, or is cancelled; says whether it was a probe. No more than `most` probes are on their way.
    fn call(&self, verdict: Option<Verdict>, most: u32) -> bool {
        let Some(ticket) = self.acquire() else {
            return false;
        };
        let is_probe = ticket.is_probe();
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
        self.shared.order(Order::Reset);
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
