//! What is called: its weather changes, and with it how it answers.

use std::{
    cell::{Cell, RefCell},
    io,
    time::Duration,
};

use fastrand::Rng;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tower_vitals_breaker::Verdict;

/// How what is called is at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// It answers at once.
    Healthy,
    /// It refuses.
    Failing,
    /// It takes calls and says nothing.
    Hanging,
    /// It answers late.
    Slow,
    /// All of this, and panics.
    Mixed,
}

/// The callers' and the upstream's world. It all happens on one thread, in an order that the seed decides.
pub(crate) struct World {
    rng: RefCell<Rng>,
    pub(crate) weather: Cell<Weather>,
    /// No call may begin.
    pub(crate) is_paused: Cell<bool>,
    pub(crate) resumed: Notify,
    /// All connections break.
    pub(crate) cut: Notify,
    /// All callers go away.
    pub(crate) left: Notify,
    /// A call ended.
    pub(crate) ended: Notify,
    /// When a call first succeeded that began in health, since that was last forgotten.
    pub(crate) succeeded: Cell<Option<Instant>>,
    pub(crate) attempts: Cell<u64>,
    pub(crate) in_flight: Cell<u64>,
    pub(crate) rejected: Cell<u64>,
    pub(crate) cancelled: Cell<u64>,
    /// When each caller began a call last.
    pub(crate) last: RefCell<Vec<Instant>>,
}

/// The longest that a call takes.
pub(crate) const LONGEST_CALL: Duration = Duration::from_secs(120);

/// The longest that a call takes when all is well.
pub(crate) const QUICK: Duration = Duration::from_millis(50);

/// From when on a call is slow.
pub(crate) const SLOW: Duration = Duration::from_secs(2);

/// Answers that say more than success.
const NOT_FOUND: u16 = 404;
const TOO_MANY: u16 = 429;

enum Deed {
    Answer(u16),
    Fail(io::ErrorKind),
    Panic,
}

impl World {
    pub(crate) fn new(seed: u64, callers: usize) -> Self {
        Self {
            rng: RefCell::new(Rng::with_seed(seed)),
            weather: Cell::new(Weather::Healthy),
            is_paused: Cell::new(false),
            resumed: Notify::new(),
            cut: Notify::new(),
            left: Notify::new(),
            ended: Notify::new(),
            succeeded: Cell::new(None),
            attempts: Cell::new(0),
            in_flight: Cell::new(0),
            rejected: Cell::new(0),
            cancelled: Cell::new(0),
            last: RefCell::new(vec![Instant::now(); callers]),
        }
    }

    /// Whether something comes to pass that does with this chance, in percent.
    pub(crate) fn chance(&self, percent: u32) -> bool {
        self.rng.borrow_mut().u32(0..100) < percent
    }

    pub(crate) fn between(&self, shortest: Duration, longest: Duration) -> Duration {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap();
        Duration::from_nanos(self.rng.borrow_mut().u64(nanos(shortest)..=nanos(longest)))
    }

    pub(crate) fn choice<T: Copy>(&self, of: &[T]) -> T {
        of[self.rng.borrow_mut().usize(0..of.len())]
    }

    /// Counts attempts that were not the callers', those of them that were rejected, and those that were given up.
    pub(crate) fn add(&self, (attempts, rejected, cancelled): (u64, u64, u64)) {
        self.attempts.set(self.attempts.get() + attempts);
        self.rejected.set(self.rejected.get() + rejected);
        self.cancelled.set(self.cancelled.get() + cancelled);
    }

    pub(crate) async fn nothing_in_flight(&self) {
        while self.in_flight.get() > 0 {
            self.ended.notified().await;
        }
    }

    /// Calls may begin again.
    pub(crate) fn resume(&self) {
        self.is_paused.set(false);
        self.resumed.notify_waiters();
    }

    /// Answers a call as the weather is when it comes, whatever it is later.
    pub(crate) async fn answer(&self) -> io::Result<u16> {
        let is_healthy = self.weather.get() == Weather::Healthy;
        let (after, deed) = self.plan();
        tokio::select! {
            biased;
            () = self.cut.notified() => return Err(io::ErrorKind::ConnectionReset.into()),
            () = sleep(after) => {}
        }
        if is_healthy && self.succeeded.get().is_none() {
            self.succeeded.set(Some(Instant::now()));
        }
        match deed {
            Deed::Answer(status) => Ok(status),
            Deed::Fail(kind) => Err(kind.into()),
            // It does not go through the hook that prints.
            Deed::Panic => std::panic::resume_unwind(Box::new("on purpose")),
        }
    }

    fn plan(&self) -> (Duration, Deed) {
        let quickly = self.between(Duration::from_millis(1), QUICK);
        match self.weather.get() {
            Weather::Healthy => (quickly, Deed::Answer(200)),
            Weather::Failing => (quickly, self.failure()),
            Weather::Hanging => {
                let deed = if self.chance(50) { Deed::Answer(200) } else { self.failure() };
                (self.between(Duration::from_secs(20), LONGEST_CALL), deed)
            }
            Weather::Slow => {
                let deed = if self.chance(80) { Deed::Answer(200) } else { self.failure() };
                (self.between(SLOW, SLOW * 3), deed)
            }
            Weather::Mixed => self.mixed(quickly),
        }
    }

    fn mixed(&self, quickly: Duration) -> (Duration, Deed) {
        match self.between(Duration::ZERO, Duration::from_secs(99)).as_secs() {
            0..10 => (quickly, Deed::Panic),
            10..25 => (quickly, self.failure()),
            25..30 => (quickly, Deed::Answer(TOO_MANY)),
            30..40 => (quickly, Deed::Answer(NOT_FOUND)),
            40..45 => (self.between(SLOW, SLOW * 3), Deed::Answer(200)),
            45..50 => (self.between(QUICK, LONGEST_CALL), self.failure()),
            _ => (quickly, Deed::Answer(200)),
        }
    }

    fn failure(&self) -> Deed {
        Deed::Fail(self.choice(&[
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::TimedOut,
        ]))
    }
}

/// What an answer says, also where it asks to be left alone.
pub(crate) fn verdict(result: Result<&u16, &io::Error>) -> Verdict {
    match result {
        Ok(&NOT_FOUND) => Verdict::IGNORED,
        Ok(&TOO_MANY) => Verdict::SOFT_FAILURE.with_retry_after(Duration::from_secs(20)),
        Ok(_) => Verdict::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Verdict::TIMEOUT,
        Err(_) => Verdict::FAILURE,
    }
}
