/// How many probes a half-open breaker lets through, and when they close it.
///
/// # Example
/// ```
/// use tower_vitals_breaker::HalfOpen;
///
/// // Three probes must succeed, and they go one after the other.
/// let careful = HalfOpen::new(3).at_once(1);
/// // Of ten probes, fewer than half may fail.
/// let lenient = HalfOpen::new(10).failure_rate(0.5);
/// assert_ne!(careful, lenient);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct HalfOpen {
    probes: u32,
    at_once: Option<u32>,
    failure_rate: Option<f64>,
}

/// The most probes there may be.
const MOST: u32 = 10_000;

impl HalfOpen {
    /// So many probes, all of which must succeed: the first that fails opens the breaker again. From 1 to 10,000.
    pub fn new(probes: u32) -> Self {
        Self {
            probes,
            at_once: None,
            failure_rate: None,
        }
    }

    /// No more than so many probes at the same time. All of them, unless said otherwise.
    pub fn at_once(mut self, probes: u32) -> Self {
        self.at_once = Some(probes);
        self
    }

    /// The breaker opens again when at least this part of the probes failed, and closes otherwise, either as soon as it is certain.
    /// Above 0 up to 1.
    pub fn failure_rate(mut self, rate: f64) -> Self {
        self.failure_rate = Some(rate);
        self
    }

    /// The numbers to count by.
    pub(crate) fn round(self, slow_rate: Option<f64>) -> Round {
        Round {
            probes: self.probes,
            at_once: self.at_once.unwrap_or(self.probes),
            failures: self.failure_rate.map_or(1, |rate| reaching(rate, self.probes)),
            slow: match (slow_rate, self.failure_rate) {
                (None, _) => u32::MAX,
                (Some(_), None) => 1,
                (Some(rate), Some(_)) => reaching(rate, self.probes),
            },
        }
    }

    /// The rule that the numbers break, if any.
    pub(crate) fn broken_rule(self) -> Option<String> {
        let Self { probes, at_once, .. } = self;
        if probes == 0 || probes > MOST {
            return Some(format!("{probes} half-open probes are not from 1 to {MOST}"));
        }
        match (at_once, self.failure_rate) {
            (Some(at_once), _) if at_once == 0 || at_once > probes => {
                Some(format!("{at_once} half-open probes at once are not from 1 to {probes}"))
            }
            (_, Some(rate)) => super::builder::broken_rate("half-open failure rate", rate),
            _ => None,
        }
    }
}

/// What a half-open breaker counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// How many results decide.
    pub(crate) probes: u32,
    /// How many probes may be on their way.
    pub(crate) at_once: u32,
    /// How many failures open the breaker again.
    pub(crate) failures: u32,
    /// How many slow results open it again.
    pub(crate) slow: u32,
}

/// The least part of `of` that is at least `rate`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and `of`
pub(crate) fn reaching(rate: f64, of: u32) -> u32 {
    let least = (1..=of).find(|part| f64::from(*part) / f64::from(of) >= rate);
    least.unwrap_or(of)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_reached_by_the_least_part_that_is_not_below_it() {
        assert_eq!(reaching(0.5, 4), 2);
        assert_eq!(reaching(0.5, 5), 3);
        assert_eq!(reaching(0.001, 5), 1);
        assert_eq!(reaching(1.0, 7), 7);
        assert_eq!(reaching(0.1, 10), 1);
        assert_eq!(reaching(0.3, 10), 3, "as a float, 0.3 of 10 is more than 3");
    }
}
