//! Families of some sizes, and what recordings into ours have to keep to.

use super::{
    excess::{Both, Excess, Figures},
    histogram::Histogram,
    ours::Ours,
    round::Round,
    rounds::{self, DUE, PAIRS, Pair, Shortfall},
};
use crate::{Result, section::Goal};

#[cfg(feature = "rivals")]
use super::prometheus_client::PrometheusClient;

/// A family with so many series.
pub(super) struct Case {
    name: &'static str,
    series: usize,
    run: fn(usize) -> Result<Vec<Pair>>,
    bounds: Option<Bounds>,
}

/// The names of what is to stay below a bound.
struct Bounds {
    worst: &'static str,
    worst_by_pairs: &'static str,
    p9999: &'static str,
    sleeps: &'static str,
}

/// Half a second before our table makes its index anew, in place of that for up to so many series, and a segment of as many slots.
pub(super) const BEFORE_GROWTH: usize = GROWTH - 500;
pub(super) const GROWTH: usize = 1 << 19;

pub(super) const CASES: &[Case] = &[
    Case::ours(10_000, None),
    Case::ours(100_000, None),
    Case::ours(
        500_000,
        Some(Bounds {
            worst: "stall: worst beyond the control with 500k series",
            worst_by_pairs: "stall: worst beyond the control with 500k series, by pairs",
            p9999: "stall: p99.99 beyond the control with 500k series",
            sleeps: "stall: sleeps beyond the control with 500k series",
        }),
    ),
    Case::ours(
        BEFORE_GROWTH,
        Some(Bounds {
            worst: "stall: worst beyond the control while the table grows",
            worst_by_pairs: "stall: worst beyond the control while the table grows, by pairs",
            p9999: "stall: p99.99 beyond the control while the table grows",
            sleeps: "stall: sleeps beyond the control while the table grows",
        }),
    ),
    #[cfg(feature = "rivals")]
    Case::prometheus_client(10_000),
    #[cfg(feature = "rivals")]
    Case::prometheus_client(100_000),
    #[cfg(feature = "rivals")]
    Case::prometheus_client(500_000),
];

pub(super) const TIMES: [&str; 12] = [
    "name",
    "series",
    "times",
    "p50 control",
    "real",
    "p99.99 control",
    "real",
    "excess",
    "worst control",
    "real",
    "excess",
    "paired",
];

pub(super) const COUNTS: [&str; 11] = [
    "name",
    "series",
    "recordings control",
    "real",
    "scrapes control",
    "real",
    "new series due",
    "control",
    "real",
    "sleeps control",
    "real",
];

/// Which times of a round.
pub(super) type Times = fn(&Round) -> Option<&Histogram>;

pub(super) const ALL: Times = |round| Some(&round.times);
pub(super) const ON_A_CORE: Times = |round| round.held.as_ref();

impl Case {
    const fn ours(series: usize, bounds: Option<Bounds>) -> Self {
        Self {
            name: "tower-vitals",
            series,
            run: |series| rounds::run::<Ours>(series, Shortfall::Refused),
            bounds,
        }
    }

    #[cfg(feature = "rivals")]
    const fn prometheus_client(series: usize) -> Self {
        Self {
            name: "prometheus-client",
            series,
            run: |series| rounds::run::<PrometheusClient>(series, Shortfall::Shown),
            bounds: None,
        }
    }

    pub(super) fn pairs(&self) -> Result<Vec<Pair>> {
        (self.run)(self.series)
    }

    /// What the pairs have to keep to, in time on a core where the system tells it.
    pub(super) fn goals(&self, pairs: &[Pair]) -> Vec<Goal> {
        let excess = excess(pairs, ON_A_CORE).or_else(|| excess(pairs, ALL));
        let (Some(bounds), Some(excess)) = (&self.bounds, excess) else {
            return Vec::new();
        };
        vec![
            Goal::at_most(bounds.worst, excess.worst / 1e6, 0.5, "ms"),
            Goal::at_most(bounds.worst_by_pairs, excess.paired.worst / 1e6, 0.5, "ms"),
            Goal::at_most(bounds.p9999, excess.paired.p9999 / 1e3, 20.0, "us"),
            Goal::at_most(bounds.sleeps, more_sleeps(pairs), 0.0, "times"),
        ]
    }

    pub(super) fn times(&self, which: &str, excess: &Excess) -> [String; 12] {
        let Excess {
            control,
            real,
            worst,
            paired,
            ..
        } = excess;
        [
            self.name.to_owned(),
            self.series.to_string(),
            which.to_owned(),
            format!("{:.0} ns", control.p50),
            format!("{:.0} ns", real.p50),
            format!("{:.1} us", control.p9999 / 1e3),
            format!("{:.1} us", real.p9999 / 1e3),
            format!("{:+.1} us", paired.p9999 / 1e3),
            format!("{:.2} ms", control.worst / 1e6),
            format!("{:.2} ms", real.worst / 1e6),
            format!("{:+.2} ms", worst / 1e6),
            format!("{:+.2} ms", paired.worst / 1e6),
        ]
    }

    /// Sums of all rounds.
    pub(super) fn counts(&self, pairs: &[Pair]) -> [String; 11] {
        let [control, real] = &[controls(pairs), reals(pairs)];
        let recordings = |rounds: &[&Round]| rounds.iter().map(|round| round.times.len()).sum::<u64>().to_string();
        let scrapes = |rounds: &[&Round]| rounds.iter().map(|round| round.scrapes).sum::<usize>().to_string();
        let new_series = |rounds: &[&Round]| rounds.iter().map(|round| round.new_series).sum::<usize>().to_string();
        let sleeps = |rounds: &[&Round]| sleeps(rounds).map_or_else(|| "unknown".to_owned(), |sleeps| sleeps.to_string());
        [
            self.name.to_owned(),
            self.series.to_string(),
            recordings(control),
            recordings(real),
            scrapes(control),
            scrapes(real),
            (DUE * PAIRS).to_string(),
            new_series(control),
            new_series(real),
            sleeps(control),
            sleeps(real),
        ]
    }
}

/// What such times show beyond the controls.
pub(super) fn excess(pairs: &[Pair], times: Times) -> Option<Excess> {
    let figures = |round: &Round| times(round).map(Figures::of);
    let both = |pair: &Pair| {
        Some(Both {
            control: figures(&pair.control)?,
            real: figures(&pair.real)?,
        })
    };
    Some(Excess::of(&pairs.iter().map(both).collect::<Option<Vec<_>>>()?))
}

/// How much more often recordings gave up their core than in the controls, no number where the system does not tell.
fn more_sleeps(pairs: &[Pair]) -> f64 {
    let both = sleeps(&reals(pairs)).zip(sleeps(&controls(pairs)));
    both.map_or(f64::NAN, |(real, control)| real as f64 - control as f64)
}

fn sleeps(rounds: &[&Round]) -> Option<u64> {
    rounds.iter().map(|round| round.sleeps).sum()
}

fn controls(pairs: &[Pair]) -> Vec<&Round> {
    pairs.iter().map(|pair| &pair.control).collect()
}

fn reals(pairs: &[Pair]) -> Vec<&Round> {
    pairs.iter().map(|pair| &pair.real).collect()
}
