use std::time::Duration;

/// How long a breaker stays open before it lets probes through.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use tower_vitals_breaker::OpenFor;
///
/// // 5 s, 10 s, 20 s, 40 s, 60 s, 60 s …, each up to a fifth more or less, but never above 60 s.
/// let open_for = OpenFor::exponential(Duration::from_secs(5), Duration::from_secs(60)).jitter(0.2);
/// assert_ne!(open_for, OpenFor::constant(Duration::from_secs(5)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct OpenFor {
    first: Duration,
    longest: Duration,
    multiplier: f64,
    jitter: f64,
    pub(crate) healthy_after: Duration,
}

impl OpenFor {
    /// Always the same time.
    pub fn constant(time: Duration) -> Self {
        Self {
            first: time,
            longest: time,
            multiplier: 1.0,
            jitter: 0.0,
            healthy_after: Duration::ZERO,
        }
    }

    /// Twice as long each time, from `first` up to `longest`, with a jitter of 0.2. After the breaker was closed for as long as
    /// `longest`, it begins with `first` again.
    pub fn exponential(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            multiplier: 2.0,
            jitter: 0.2,
            healthy_after: longest,
        }
    }

    /// By how much the time grows each time. At least 1.
    pub fn multiplier(mut self, multiplier: f64) -> Self {
        self.multiplier = multiplier;
        self
    }

    /// By which part of itself the time is made longer or shorter at random, so that processes do not all probe at once. From 0 to 1.
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// How long a breaker must have been closed for the time to begin with the first one again.
    pub fn reset_after(mut self, closed_for: Duration) -> Self {
        self.healthy_after = closed_for;
        self
    }

    /// How long to stay open when it opens for the `attempt`th time in a row, the first being 0. `random` is from 0 to 1.
    ///
    /// `min(longest, first · multiplier^attempt · (1 ± jitter))`, but never 0.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    // what is too large saturates, and all are positive
    pub(crate) fn nanos(self, attempt: u32, random: f64) -> u64 {
        let longest = self.longest.as_nanos() as f64;
        let grown = self.first.as_nanos() as f64 * self.multiplier.powi(i32::try_from(attempt).unwrap_or(i32::MAX));
        let jittered = grown.min(longest) * (1.0 + self.jitter * (2.0 * random - 1.0));
        (jittered.min(longest) as u64).max(1)
    }

    /// The first time, without jitter.
    pub(crate) fn first(self) -> Duration {
        self.first
    }

    /// The rule that the times break, if any.
    pub(crate) fn broken_rule(self) -> Option<String> {
        let Self {
            first,
            longest,
            multiplier,
            jitter,
            ..
        } = self;
        if first.is_zero() {
            Some("the open time is 0, so it would never be open".to_owned())
        } else if longest < first {
            Some(format!(
                "the longest open time of {longest:?} is below the first of {first:?}"
            ))
        } else if longest > super::LONGEST_DURATION {
            Some(format!("the open time of {longest:?} is longer than 30 days"))
        } else if !multiplier.is_finite() || multiplier < 1.0 {
            Some(format!("the multiplier of {multiplier} is not a number from 1 up"))
        } else if !(0.0..=1.0).contains(&jitter) {
            Some(format!("the jitter of {jitter} is not from 0 to 1"))
        } else {
            None
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn it_grows_up_to_the_longest() {
        let open_for = OpenFor::exponential(Duration::from_secs(5), Duration::from_secs(60));
        let times: Vec<_> = (0..6).map(|attempt| open_for.nanos(attempt, 0.5) / SECOND).collect();
        assert_eq!(times, [5, 10, 20, 40, 60, 60]);
        assert_eq!(open_for.nanos(u32::MAX, 0.5), 60 * SECOND);
    }

    #[test]
    fn jitter_goes_both_ways_and_never_above_the_longest() {
        let open_for = OpenFor::exponential(Duration::from_secs(10), Duration::from_secs(11)).jitter(0.2);
        assert_eq!(open_for.nanos(0, 0.0), 8 * SECOND);
        assert_eq!(open_for.nanos(0, 1.0), 11 * SECOND);
        assert_eq!(OpenFor::constant(Duration::from_nanos(3)).jitter(1.0).nanos(0, 0.0), 1);
    }
}
