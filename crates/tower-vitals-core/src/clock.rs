//! Where time comes from.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

/// The clock of a [`Vitals`](crate::Vitals): monotonic, and replaceable so that tests decide what time it is.
///
/// The wall-clock time of an event (for start timestamps) is the wall time at which the clock was made plus the monotonic time since,
/// so a step of the machine's clock does not show in it.
#[derive(Clone)]
pub struct Clock {
    source: Source,
    made: Instant,
    made_wall: SystemTime,
}

#[derive(Clone)]
enum Source {
    Std,
    #[cfg(feature = "tokio")]
    Tokio,
    Manual(ManualClock),
}

/// A clock that stands still until it is moved.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use tower_vitals_core::{Clock, ManualClock};
///
/// let manual = ManualClock::new();
/// let clock = Clock::manual(&manual);
/// let before = clock.now();
/// manual.advance(Duration::from_millis(250));
/// assert_eq!(clock.now() - before, Duration::from_millis(250));
/// ```
#[derive(Clone)]
pub struct ManualClock {
    start: Instant,
    nanos: Arc<AtomicU64>,
}

/// What [`Clock::nanos`] tells when a clock other than the system's is made: far from both ends, because tokio's time may be earlier in
/// another runtime.
const MADE: u64 = u64::MAX / 4;

// === impl Clock ===

impl Clock {
    /// The system's monotonic clock. This is the default.
    #[must_use]
    pub fn std() -> Self {
        Self::of(Source::Std)
    }

    /// Tokio's clock, which stands still after `tokio::time::pause`.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn tokio() -> Self {
        Self::of(Source::Tokio)
    }

    /// A clock that only its [`ManualClock`] moves.
    #[must_use]
    pub fn manual(manual: &ManualClock) -> Self {
        Self::of(Source::Manual(manual.clone()))
    }

    /// The instant that it is now.
    #[must_use]
    #[inline]
    pub fn now(&self) -> Instant {
        self.source.now()
    }

    /// The time that it is now, in nanoseconds since a moment that is the same for all clones of this clock. For measuring how long
    /// something takes: one number is quicker to come by and to subtract than an [`Instant`].
    #[must_use]
    #[inline]
    pub fn nanos(&self) -> u64 {
        match self.source {
            #[cfg(target_os = "linux")]
            Source::Std => monotonic_nanos(),
            _ => self.nanos_since_made(),
        }
    }

    fn nanos_since_made(&self) -> u64 {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let now = self.source.now();
        match now.checked_duration_since(self.made) {
            Some(since) => MADE.saturating_add(nanos(since)),
            None => MADE.saturating_sub(nanos(self.made.duration_since(now))),
        }
    }

    /// The wall-clock time of an instant of this clock.
    #[must_use]
    pub fn wall(&self, instant: Instant) -> SystemTime {
        match instant.checked_duration_since(self.made) {
            Some(since) => self.made_wall.checked_add(since),
            None => self.made_wall.checked_sub(self.made.duration_since(instant)),
        }
        .unwrap_or(self.made_wall)
    }

    fn of(source: Source) -> Self {
        Self {
            made: source.now(),
            made_wall: wall_now(),
            source,
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::std()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Std => "Clock::std",
            #[cfg(feature = "tokio")]
            Source::Tokio => "Clock::tokio",
            Source::Manual(_) => "Clock::manual",
        })
    }
}

// === impl Source ===

impl Source {
    #[inline]
    fn now(&self) -> Instant {
        match self {
            Self::Std => instant_now(),
            #[cfg(feature = "tokio")]
            Self::Tokio => tokio::time::Instant::now().into_std(),
            Self::Manual(manual) => manual.now(),
        }
    }
}

// === impl ManualClock ===

impl ManualClock {
    /// A clock that stands at the present.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: instant_now(),
            nanos: Arc::default(),
        }
    }

    /// Moves the clock, and every [`Clock`] made from it, forward.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::SeqCst);
    }

    fn now(&self) -> Instant {
        let nanos = self.nanos.load(Ordering::SeqCst);
        self.start.checked_add(Duration::from_nanos(nanos)).unwrap_or(self.start)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advanced = Duration::from_nanos(self.nanos.load(Ordering::SeqCst));
        f.debug_struct("ManualClock").field("advanced", &advanced).finish()
    }
}

/// The only place that asks the system for an instant.
#[inline]
#[allow(clippy::disallowed_methods)]
fn instant_now() -> Instant {
    Instant::now()
}

/// What `Instant::now` reads on Linux, without its checks.
#[cfg(target_os = "linux")]
#[inline]
#[allow(clippy::cast_sign_loss)] // it counts from the start of the machine
fn monotonic_nanos() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.tv_nsec as u64)
}

/// The only place that asks the system for the wall time.
#[allow(clippy::disallowed_methods)]
fn wall_now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_follows_the_monotonic_clock() {
        let manual = ManualClock::new();
        let clock = Clock::manual(&manual);
        let before = clock.wall(clock.now());
        manual.advance(Duration::from_secs(3600));
        assert_eq!(
            clock.wall(clock.now()).duration_since(before).unwrap(),
            Duration::from_secs(3600)
        );
        assert_eq!(
            before
                .duration_since(clock.wall(clock.made - Duration::from_secs(1)))
                .unwrap(),
            Duration::from_secs(1)
        );
    }

    #[test]
    fn nanos_pass_as_instants_do() {
        let clock = Clock::std();
        let (outer, start) = (clock.now(), clock.nanos());
        while clock.nanos() - start < 2_000_000 {}
        let (took, inner) = (clock.nanos() - start, clock.now());
        let around = inner.saturating_duration_since(outer).as_nanos();
        assert!(u128::from(took) <= around, "{took} ns within {around} ns");

        let manual = ManualClock::new();
        let clock = Clock::manual(&manual);
        let start = clock.clone().nanos();
        manual.advance(Duration::from_secs(3));
        assert_eq!(clock.nanos() - start, 3_000_000_000);
    }

    #[cfg(feature = "tokio")]
    #[tokio::test(start_paused = true)]
    async fn the_tokio_clock_can_be_paused() {
        let clock = Clock::tokio();
        let (before, start) = (clock.now(), clock.nanos());
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(clock.now() - before, Duration::from_secs(5));
        assert_eq!(clock.nanos() - start, 5_000_000_000);
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn the_tokio_clock_measures_in_a_runtime_whose_time_is_behind() {
        let paused = || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_time().start_paused(true).build().unwrap()
        };
        let hour = Duration::from_secs(3600);
        let clock = paused().block_on(async {
            tokio::time::advance(hour).await;
            Clock::tokio()
        });
        paused().block_on(async {
            let start = clock.nanos();
            tokio::time::advance(hour / 2).await;
            assert_eq!(clock.nanos() - start, 1_800_000_000_000);
            tokio::time::advance(hour).await;
            assert_eq!(clock.nanos() - start, 5_400_000_000_000);
        });
    }
}
