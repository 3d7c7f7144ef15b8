use std::time::Duration;

use crate::Outcome;

/// What a result says about what was called.
///
/// A verdict may carry how long what was called asks to be left alone, as HTTP's `Retry-After` does.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use tower_vitals_breaker::Verdict;
///
/// let verdict = Verdict::FAILURE.with_retry_after(Duration::from_secs(30));
/// assert_eq!(verdict.retry_after(), Some(Duration::from_secs(30)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    kind: Kind,
    /// In nanoseconds; `NONE` where it does not ask.
    retry_after: u64,
}

/// No time to be left alone.
const NONE: u64 = u64::MAX;

/// What kinds of verdicts there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Success,
    Failure,
    SoftFailure,
    Timeout,
    Ignored,
    Panicked,
}

impl Verdict {
    /// It works.
    pub const SUCCESS: Self = Self::of(Kind::Success);

    /// It does not work.
    pub const FAILURE: Self = Self::of(Kind::Failure);

    /// It works, but not for us now, as with HTTP's 429: the call counts as a failure in the failure rate and as a probe, and ends a row
    /// of failures as a success does.
    pub const SOFT_FAILURE: Self = Self::of(Kind::SoftFailure);

    /// It took too long: a failure with an outcome of its own.
    pub const TIMEOUT: Self = Self::of(Kind::Timeout);

    /// The result says nothing, such as an error that the caller made: nothing is judged, and a probe's place is free again.
    pub const IGNORED: Self = Self::of(Kind::Ignored);

    pub(crate) const PANICKED: Self = Self::of(Kind::Panicked);

    const fn of(kind: Kind) -> Self {
        Self { kind, retry_after: NONE }
    }

    /// The same, from one that asks to be left alone for a time. A breaker that this verdict opens, or that another one opens
    /// before that time is over, stays open until then at least, up to its [cap](crate::CircuitBreakerBuilder::retry_after_cap).
    #[allow(clippy::cast_possible_truncation)] // it was compared
    pub const fn with_retry_after(mut self, retry_after: Duration) -> Self {
        let nanos = retry_after.as_nanos();
        // Longer than any breaker may stay open.
        const LONGEST: u64 = NONE - 1;
        self.retry_after = if nanos < LONGEST as u128 { nanos as u64 } else { LONGEST };
        self
    }

    /// How long it asks to be left alone.
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        match self.retry_after {
            NONE => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// Whether it counts as a failure of some kind.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        !matches!(self.kind, Kind::Success | Kind::Ignored)
    }

    /// What is counted.
    #[inline]
    pub(crate) const fn outcome(self, is_slow: bool) -> Outcome {
        match (self.kind, is_slow) {
            (Kind::Success, false) => Outcome::Success,
            (Kind::Success, true) => Outcome::SlowSuccess,
            (Kind::Failure | Kind::SoftFailure, false) => Outcome::Failure,
            (Kind::Failure | Kind::SoftFailure, true) => Outcome::SlowFailure,
            (Kind::Timeout, _) => Outcome::Timeout,
            (Kind::Ignored, _) => Outcome::Ignored,
            (Kind::Panicked, _) => Outcome::Panicked,
        }
    }

    pub(crate) const fn kind(self) -> Kind {
        self.kind
    }
}
