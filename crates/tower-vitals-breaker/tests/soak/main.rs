//! A simulated day: tasks call something that fails, hangs, recovers and breaks off at random, and may go away themselves. The breaker
//! is never stuck, no permit is lost, and no scrape disagrees with what was done.
#![allow(clippy::unwrap_used)] // there is nothing but tests

mod callers;
mod ledger;
mod upstream;

use std::{rc::Rc, time::Duration};

use tokio::{
    task::{LocalSet, spawn_local},
    time::{Instant, sleep, sleep_until, timeout},
};
use tower_vitals_breaker::{
    BreakerError, CircuitBreaker, CircuitBreakerBuilder, HalfOpen, OpenFor, Outcome, RejectReason, State, Verdict, Window,
};
use tower_vitals_core::{Clock, ClosedLabel, Vitals};

use self::{
    callers::{CALLERS, call, work},
    ledger::Ledger,
    upstream::{LONGEST_CALL, SLOW, Weather, World},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

const PROBES: u32 = 3;

const LEASE: Duration = Duration::from_secs(10);

const LONGEST_OPEN: Duration = Duration::from_secs(60);

/// How often recovery is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// How much later than it could be a call is made that is told of recovery.
const SLACK: Duration = Duration::from_millis(500);

/// How long after its recovery an upstream may still be blamed for what it did before.
const OLD_TROUBLE: Duration = Duration::from_secs(120 + 10 + 60 + 20);

/// All that happens by itself, and the order at the end.
const TRANSITIONS: [&str; 9] = [
    "closed open consecutive_failures",
    "closed open failure_rate",
    "closed open forced",
    "closed open slow_call_rate",
    "half_open closed probes_succeeded",
    "half_open open lease_expired",
    "half_open open probes_failed",
    "half_open open probes_slow",
    "open half_open open_time_over",
];

fn builder() -> CircuitBreakerBuilder {
    CircuitBreaker::builder("upstream")
        .failure_rate(0.5)
        .consecutive_failures(6)
        .slow_calls(SLOW, 0.6)
        .minimum_calls(10)
        .open_for(OpenFor::exponential(Duration::from_secs(5), LONGEST_OPEN).jitter(0.2))
        .half_open(HalfOpen::new(PROBES))
        .lease(LEASE)
        .retry_after_cap(Duration::from_secs(30))
}

/// A day, its breaker and what happened.
struct Day {
    world: Rc<World>,
    breaker: CircuitBreaker,
    ledger: Ledger,
    recoveries: Recoveries,
}

/// How often what is called became healthy while the breaker was in each state, and how long it took at most until a call succeeded.
#[derive(Debug, Default)]
struct Recoveries {
    closed: (u32, Duration),
    open: (u32, Duration),
    half_open: (u32, Duration),
}

impl Day {
    fn begin(seed: u64, window: Window) -> Self {
        let vitals = Vitals::builder().clock(Clock::tokio()).build().unwrap();
        let breaker = builder().window(window).build(&vitals).unwrap();
        Self {
            world: Rc::new(World::new(seed, CALLERS)),
            ledger: Ledger::open(&vitals, &breaker, PROBES),
            breaker,
            recoveries: Recoveries::default(),
        }
    }

    async fn pass(&mut self) {
        for caller in 0..CALLERS {
            spawn_local(work(Rc::clone(&self.world), self.breaker.clone(), caller));
        }
        let over = Instant::now() + DAY;
        let weathers = [
            Weather::Failing,
            Weather::Hanging,
            Weather::Hanging,
            Weather::Slow,
            Weather::Mixed,
        ];
        while Instant::now() < over {
            self.world.weather.set(self.world.choice(&weathers));
            self.stay(Duration::from_secs(150)).await;
            if self.world.weather.get() == Weather::Hanging {
                self.wait_for_full_round().await;
            }
            self.world.weather.set(Weather::Healthy);
            let began = Instant::now();
            self.recover().await;
            self.stay(Duration::from_secs(300)).await;
            self.stays_healthy(began);
        }
        self.stay(OLD_TROUBLE).await;
        self.fall_quiet().await;
        self.a_last_round().await;
    }

    /// Leaves it for some time, with scrapes and quiet moments in between.
    async fn stay(&mut self, longest: Duration) {
        let until = Instant::now() + self.world.between(Duration::from_secs(5), longest);
        while Instant::now() < until {
            let next = Instant::now() + self.world.between(Duration::ZERO, Duration::from_secs(60));
            sleep_until(next.min(until)).await;
            self.ledger.scrape(&self.world);
            let is_half_open = self.breaker.state() == State::HalfOpen;
            if self.world.chance(if is_half_open { 80 } else { 15 }) {
                self.fall_quiet().await;
                self.world.resume();
            }
        }
    }

    /// Waits until all probes hang, for a time.
    async fn wait_for_full_round(&self) {
        let until = Instant::now() + LONGEST_OPEN;
        let is_half_open = || self.breaker.state() == State::HalfOpen;
        while Instant::now() < until && !(is_half_open() && self.breaker.status().half_open_in_flight == PROBES) {
            sleep(LOOK).await;
        }
    }

    /// What is called just became healthy: a call succeeds within the open time in force and a lease, and soon the breaker is closed.
    async fn recover(&mut self) {
        let (began, status) = (Instant::now(), self.breaker.status());
        let left = status.open_until.map(|until| self.ledger.until(until));
        assert!(left <= Some(LONGEST_OPEN), "{status:?}");
        let (limit, seen) = match status.state {
            State::Closed => (Duration::ZERO, &mut self.recoveries.closed),
            State::Open => (left.unwrap(), &mut self.recoveries.open),
            State::HalfOpen => (LEASE + LONGEST_OPEN, &mut self.recoveries.half_open),
        };
        self.world.succeeded.set(None);
        while self.world.succeeded.get().is_none() || self.breaker.state() != State::Closed {
            match call(&self.world, &self.breaker).await {
                Err(BreakerError::Rejected(_)) => sleep(LOOK).await,
                Err(BreakerError::Inner(error)) => panic!("it is healthy, and said {error}"),
                Ok(_) => {}
            }
            let took = began.elapsed();
            // Each probe that takes the place of one whose caller left begins the lease anew.
            let closed = LEASE * PROBES + LONGEST_OPEN;
            let most = self.world.succeeded.get().map_or(limit, |_| closed);
            let breaker = &self.breaker;
            assert!(took <= most + SLACK, "stuck after {took:?} {breaker:?}, first {status:?}");
        }
        let reached = self.world.succeeded.get().unwrap() - began;
        assert!(reached <= limit + SLACK, "{reached:?} until it was reached: {status:?}");
        *seen = (seen.0 + 1, seen.1.max(reached));
    }

    /// After a long time of health, all callers get through, and all that was is forgotten.
    fn stays_healthy(&self, began: Instant) {
        if began.elapsed() < OLD_TROUBLE {
            return;
        }
        let status = self.breaker.status();
        assert_eq!(status.state, State::Closed, "{status:?}");
        for (caller, last) in self.world.last.borrow().iter().enumerate() {
            assert!(*last > began, "caller {caller} waits for ever: {status:?}");
        }
    }

    /// Lets no call begin, and those in flight end in one of several ways.
    async fn fall_quiet(&mut self) {
        let world = &self.world;
        world.is_paused.set(true);
        match world.choice(&[0, 1, 2, 2]) {
            0 => {}
            1 => world.cut.notify_waiters(),
            _ => world.left.notify_waiters(),
        }
        let ended = timeout(LONGEST_CALL, world.nothing_in_flight()).await;
        assert!(ended.is_ok(), "{} calls do not end", world.in_flight.get());
        self.ledger.scrape(world);
        self.ledger.check_places(world);
        self.ledger.scrape(world);
    }

    /// At the end of the day, a half-open breaker lets exactly its probes through.
    async fn a_last_round(&mut self) {
        assert_eq!(self.breaker.state(), State::Closed);
        self.breaker.force_open_for(LEASE);
        sleep(LEASE).await;
        let permits: Vec<_> = (0..PROBES).map(|_| self.breaker.try_acquire().unwrap()).collect();
        let rejected = self.breaker.try_acquire().unwrap_err();
        assert_eq!(rejected.reason(), RejectReason::HalfOpenFull);
        self.world.add((u64::from(PROBES) + 1, 1, 0));
        permits.into_iter().for_each(|permit| permit.record(Verdict::SUCCESS));
        assert_eq!(self.breaker.state(), State::Closed);
    }

    /// All that can happen by itself happened.
    fn has_seen_all(&mut self) {
        let scrape = self.ledger.scrape(&self.world);
        for outcome in Outcome::VALUES {
            assert!(scrape.calls[*outcome] > 0, "{outcome}: {scrape:?}");
        }
        let transitions: Vec<_> = self.ledger.transitions().into_keys().collect();
        assert_eq!(transitions, TRANSITIONS);
        let Recoveries { closed, open, half_open } = &self.recoveries;
        for (times, took) in [closed, open, half_open] {
            assert!(*times > 0 && *took > Duration::ZERO, "{:?}", self.recoveries);
        }
        assert!(half_open.1 > LEASE, "no probe hung when it recovered: {:?}", self.recoveries);
        assert!(self.world.attempts.get() > 50_000 && self.ledger.scrapes > 1_000);
        let (quiet, half_open) = self.ledger.quiet;
        assert!(
            quiet > 200 && half_open > 20,
            "{quiet} quiet moments, half-open at {half_open}"
        );
    }
}

/// Says which day it was that failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

fn days(window: Window, seeds: &[u64]) {
    for &seed in seeds {
        let _said = Seed(seed);
        // The breaker's jitter is of this thread.
        fastrand::seed(seed);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let mut day = Day::begin(seed, window);
            day.pass().await;
            day.has_seen_all();
            println!(
                "seed {seed}, {} attempts: {:?}, {:?}",
                day.world.attempts.get(),
                day.recoveries,
                day.ledger.transitions()
            );
        });
    }
}

#[test]
fn days_with_a_window_of_time() {
    days(Window::time(Duration::from_secs(30)), &[1, 2]);
}

#[test]
fn days_with_a_window_of_calls() {
    days(Window::count(20), &[3]);
}
