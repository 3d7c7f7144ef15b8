use std::time::Duration;

use tower_vitals_core::{LONGEST_VALUE, OTHER, Vitals};

use super::{BuildError, HalfOpen, LONGEST_DURATION, OpenFor, Semantics, Window, half_open::Round};
use crate::{CircuitBreaker, CircuitBreakers};

/// Sets up a [`CircuitBreaker`].
///
/// Unless said otherwise, a breaker opens when five calls in a row failed, or half of those that ended in the last 10 s, if they are at
/// least 20. It stays open for 5 s at first and up to 60 s, and closes again when one probe succeeds. As soon as one condition is named,
/// the named ones are all there are.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use tower_vitals_breaker::{CircuitBreaker, HalfOpen, OpenFor, Window};
/// use tower_vitals_core::Vitals;
///
/// let breaker = CircuitBreaker::builder("payments")
///     .window(Window::time(Duration::from_secs(30)))
///     .failure_rate(0.5)
///     .slow_calls(Duration::from_secs(2), 0.8)
///     .minimum_calls(50)
///     .open_for(OpenFor::constant(Duration::from_secs(10)))
///     .half_open(HalfOpen::new(3))
///     .build(&Vitals::new())?;
/// # Ok::<(), tower_vitals_breaker::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct CircuitBreakerBuilder {
    pub(crate) name: String,
    window: Window,
    minimum: Option<u32>,
    trip: Trip,
    slow: Option<Duration>,
    open_for: OpenFor,
    half_open: HalfOpen,
    lease: Option<Duration>,
    retry_after_cap: Duration,
    call_durations: bool,
}

/// What a breaker was told, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) window: Window,
    /// How many calls the window must have for a rate to be judged.
    pub(crate) minimum: u64,
    pub(crate) trip: Trip,
    pub(crate) slow: Option<Slow>,
    pub(crate) open_for: OpenFor,
    pub(crate) round: Round,
    /// In nanoseconds.
    pub(crate) lease: u64,
    /// In nanoseconds.
    pub(crate) retry_after_cap: u64,
    /// Whether durations of calls are recorded.
    pub(crate) call_durations: bool,
    pub(crate) semantics: Semantics,
}

impl Settings {
    /// Whether calls are timed: for what is slow, or for the histogram.
    pub(crate) fn is_timed(&self) -> bool {
        self.slow.is_some() || self.call_durations
    }
}

/// What opens a breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Trip {
    pub(crate) consecutive: Option<u32>,
    /// So many failures in the window, whatever the minimum. Only tests know it.
    pub(crate) failures: Option<u64>,
    pub(crate) failure_rate: Option<f64>,
    pub(crate) slow_rate: Option<f64>,
}

/// When a call is slow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slow {
    /// In nanoseconds.
    pub(crate) after: u64,
}

/// How many calls there must be in a window unless said otherwise.
const MINIMUM: u32 = 20;

/// The shortest lease unless said otherwise.
const LEASE: Duration = Duration::from_secs(10);

impl CircuitBreakerBuilder {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            window: Window::time(Duration::from_secs(10)),
            minimum: None,
            trip: Trip::default(),
            slow: None,
            open_for: OpenFor::exponential(Duration::from_secs(5), Duration::from_secs(60)),
            half_open: HalfOpen::new(1),
            lease: None,
            retry_after_cap: Duration::from_secs(300),
            call_durations: false,
        }
    }

    /// Which calls are recent enough to be judged. 10 s unless said otherwise.
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Opens when at least this part of the recent calls failed. Above 0 up to 1.
    pub fn failure_rate(mut self, rate: f64) -> Self {
        self.trip.failure_rate = Some(rate);
        self
    }

    /// Opens when so many calls in a row failed, at whatever time. From 1 up.
    pub fn consecutive_failures(mut self, failures: u32) -> Self {
        self.trip.consecutive = Some(failures);
        self
    }

    /// Opens when at least this part of the recent calls took at least this long, whether they succeeded or not. Above 0 up to 1.
    pub fn slow_calls(mut self, after: Duration, rate: f64) -> Self {
        self.slow = Some(after);
        self.trip.slow_rate = Some(rate);
        self
    }

    /// How many recent calls there must be for a rate to be judged. 20 unless said otherwise, or the size of a smaller window of calls.
    pub fn minimum_calls(mut self, calls: u32) -> Self {
        self.minimum = Some(calls);
        self
    }

    /// How long it stays open.
    pub fn open_for(mut self, open_for: OpenFor) -> Self {
        self.open_for = open_for;
        self
    }

    /// How many probes a half-open breaker lets through, and when they close it.
    pub fn half_open(mut self, half_open: HalfOpen) -> Self {
        self.half_open = half_open;
        self
    }

    /// How long a half-open breaker waits for the probes on their way, from the last that it let through: when all places are taken for
    /// longer, it opens again, and what comes back later is `stale`. At least 10 s, or the first open time if that is longer, unless said
    /// otherwise.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// The longest time for which what is called may ask to be left alone, as by `Retry-After`. 5 min unless said otherwise; with zero
    /// it is not listened to.
    pub fn retry_after_cap(mut self, cap: Duration) -> Self {
        self.retry_after_cap = cap;
        self
    }

    /// Records how long calls took, as the histogram `circuit_breaker_call_duration_seconds`. Not done unless asked for, as it costs two
    /// readings of the clock and a series for each outcome.
    pub fn call_durations(mut self) -> Self {
        self.call_durations = true;
        self
    }

    /// The breaker. When there is one of this name and these settings already, it is that one.
    ///
    /// # Errors
    /// When a setting breaks its rule, when there is a breaker of this name with other settings, or when metrics of the same names were
    /// registered in other ways.
    pub fn build(self, vitals: &Vitals) -> Result<CircuitBreaker, BuildError> {
        let settings = self.settings()?;
        CircuitBreakers::of(vitals).named(vitals, &self.name, settings)
    }

    /// What was told, if it keeps all rules.
    pub(crate) fn settings(&self) -> Result<Settings, BuildError> {
        match self.broken_rule() {
            Some(rule) => Err(BuildError::setting(&self.name, rule)),
            None => Ok(self.unchecked()),
        }
    }

    fn unchecked(&self) -> Settings {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let lease = self.lease.unwrap_or_else(|| self.open_for.first().max(LEASE));
        Settings {
            window: self.window,
            minimum: u64::from(self.least_calls()),
            trip: self.conditions(),
            slow: self.slow.map(|after| Slow { after: nanos(after) }),
            open_for: self.open_for,
            round: self.half_open.round(self.trip.slow_rate),
            lease: nanos(lease),
            retry_after_cap: nanos(self.retry_after_cap),
            call_durations: self.call_durations,
            semantics: Semantics::OURS,
        }
    }

    fn least_calls(&self) -> u32 {
        self.minimum.unwrap_or_else(|| self.window.minimum(MINIMUM))
    }

    /// What was named, or what is usual.
    fn conditions(&self) -> Trip {
        if self.trip == Trip::default() {
            Trip {
                consecutive: Some(5),
                failure_rate: Some(0.5),
                ..Trip::default()
            }
        } else {
            self.trip
        }
    }

    fn broken_rule(&self) -> Option<String> {
        let trip = self.conditions();
        let rate = |what, rate: Option<f64>| rate.and_then(|rate| broken_rate(what, rate));
        broken_name(&self.name)
            .or_else(|| (trip.consecutive == Some(0)).then(|| "0 consecutive failures would always be reached".to_owned()))
            .or_else(|| rate("failure rate", trip.failure_rate))
            .or_else(|| rate("rate of slow calls", trip.slow_rate))
            .or_else(|| (self.minimum == Some(0)).then(|| "a minimum of 0 calls would judge a window without calls".to_owned()))
            .or_else(|| self.window.broken_rule(self.least_calls()))
            .or_else(|| broken_time("time after which calls are slow", self.slow?))
            .or_else(|| self.open_for.broken_rule())
            .or_else(|| self.half_open.broken_rule())
            .or_else(|| broken_time("lease", self.lease?))
            .or_else(|| too_long("cap of `Retry-After`", self.retry_after_cap))
    }
}

/// The rule that a name breaks, if any.
pub(crate) fn broken_name(name: &str) -> Option<String> {
    if name.is_empty() {
        Some("the name is empty".to_owned())
    } else if name == OTHER {
        Some(format!("`{OTHER}` stands for what budgets refused"))
    } else if name.len() > LONGEST_VALUE {
        Some(format!("the name is longer than {LONGEST_VALUE} bytes"))
    } else if name.contains('\0') {
        Some("the name contains NUL".to_owned())
    } else {
        None
    }
}

/// The rule that a rate breaks, if any.
pub(super) fn broken_rate(what: &str, rate: f64) -> Option<String> {
    let is_rate = rate > 0.0 && rate <= 1.0;
    (!is_rate).then(|| format!("the {what} of {rate} is not above 0 and up to 1"))
}

fn broken_time(what: &str, time: Duration) -> Option<String> {
    if time.is_zero() {
        Some(format!("the {what} is 0"))
    } else {
        too_long(what, time)
    }
}

fn too_long(what: &str, time: Duration) -> Option<String> {
    (time > LONGEST_DURATION).then(|| format!("the {what} of {time:?} is longer than 30 days"))
}
