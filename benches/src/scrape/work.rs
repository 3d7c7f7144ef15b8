use std::{fmt, str::FromStr};

/// Finite bounds of every histogram. With `+Inf`, the sum and the count a histogram has 14 lines.
pub(super) const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const LINES_OF_HISTOGRAM: usize = BUCKETS.len() + 3;

/// What every histogram has observed.
pub(super) const OBSERVATIONS: [f64; 4] = [0.003, 0.04, 0.3, 4.0];

pub(super) const LABELS: [&str; 3] = ["method", "route", "status"];
pub(super) const METHODS: [&str; 4] = ["GET", "PUT", "POST", "DELETE"];
pub(super) const STATUSES: [&str; 5] = ["200", "204", "304", "404", "500"];

/// What there is to be scraped. For Prometheus a line is a series, so a size is a number of lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) kind: Kind,
    /// A histogram is there as a whole or not at all.
    pub(crate) lines: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counters,
    Histograms,
}

/// The labels of one series.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) number: usize,
    pub(super) route: String,
}

impl Work {
    pub(crate) const fn of_label_sets(kind: Kind, label_sets: usize) -> Self {
        Self {
            kind,
            lines: label_sets * kind.lines(),
        }
    }

    /// How many label sets there are.
    pub(crate) fn label_sets(self) -> usize {
        self.lines / self.kind.lines()
    }

    /// How many lines those have.
    pub(super) fn samples(self) -> usize {
        self.label_sets() * self.kind.lines()
    }

    pub(super) fn series(self) -> impl Iterator<Item = Series> {
        (0..self.label_sets()).map(Series::new)
    }
}

impl Kind {
    /// The family's name, as its samples begin.
    pub(super) const fn family(self) -> &'static str {
        match self {
            Self::Counters => "app_requests_total",
            Self::Histograms => "app_request_duration_seconds",
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Counters => "counters",
            Self::Histograms => "histograms",
        }
    }

    const fn lines(self) -> usize {
        match self {
            Self::Counters => 1,
            Self::Histograms => LINES_OF_HISTOGRAM,
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Counters, Self::Histograms]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("no kind {text:?}"))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines {
            lines if lines % 1_000_000 == 0 => write!(f, "{}M", lines / 1_000_000),
            lines if lines % 1_000 == 0 => write!(f, "{}k", lines / 1_000),
            lines => write!(f, "{lines}"),
        }
    }
}

impl Series {
    fn new(number: usize) -> Self {
        Self {
            number,
            route: format!("/api/v1/resource/{:06}", number / (METHODS.len() * STATUSES.len())),
        }
    }

    pub(super) fn method(&self) -> usize {
        self.number % METHODS.len()
    }

    pub(super) fn status(&self) -> usize {
        self.number / METHODS.len() % STATUSES.len()
    }

    /// The values of [`LABELS`].
    pub(super) fn values(&self) -> [&str; 3] {
        [METHODS[self.method()], &self.route, STATUSES[self.status()]]
    }

    /// What its counter has counted.
    pub(super) fn count(&self) -> u64 {
        self.number as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_series_have_the_same_labels() {
        let work = Work {
            kind: Kind::Counters,
            lines: 1_000,
        };
        let distinct: HashSet<_> = work.series().map(|series| series.values().map(str::to_owned)).collect();
        assert_eq!(distinct.len(), 1_000);
    }

    #[test]
    fn a_histogram_is_whole() {
        let work = Work {
            kind: Kind::Histograms,
            lines: 1_000_000,
        };
        assert_eq!((work.label_sets(), work.samples()), (71_428, 999_992));
    }
}
