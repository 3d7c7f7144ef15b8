//! What real rounds show beyond their controls.

use super::histogram::Histogram;

/// Of one round, in nanoseconds.
#[derive(Clone, Copy)]
pub(super) struct Figures {
    pub(super) p50: f64,
    pub(super) p9999: f64,
    pub(super) worst: f64,
}

/// Figures of a pair of rounds.
#[derive(Clone, Copy)]
pub(super) struct Both {
    pub(super) control: Figures,
    pub(super) real: Figures,
}

/// What all pairs together say.
pub(super) struct Excess {
    /// Medians of p50 and p99.99, and the worst of all.
    pub(super) control: Figures,
    pub(super) real: Figures,
    /// The difference of the worst of all.
    pub(super) worst: f64,
    /// The medians of the pairs' differences.
    pub(super) paired: Figures,
    /// By how much the controls differ from one another.
    pub(super) spread: Figures,
}

impl Figures {
    pub(super) fn of(times: &Histogram) -> Self {
        let nanos = |share| times.quantile(share).as_nanos() as f64;
        Self {
            p50: nanos(0.5),
            p9999: nanos(0.9999),
            worst: nanos(1.0),
        }
    }

    fn all(rounds: &[Self]) -> Self {
        Self {
            p50: median(rounds.iter().map(|round| round.p50)),
            p9999: median(rounds.iter().map(|round| round.p9999)),
            worst: most(rounds.iter().map(|round| round.worst)),
        }
    }

    fn spread(rounds: &[Self]) -> Self {
        let spread = |figure: fn(&Self) -> f64| {
            let least = rounds.iter().map(figure).fold(f64::INFINITY, f64::min);
            most(rounds.iter().map(figure)) - least
        };
        Self {
            p50: spread(|round| round.p50),
            p9999: spread(|round| round.p9999),
            worst: spread(|round| round.worst),
        }
    }
}

impl Excess {
    pub(super) fn of(pairs: &[Both]) -> Self {
        let controls: Vec<Figures> = pairs.iter().map(|pair| pair.control).collect();
        let reals: Vec<Figures> = pairs.iter().map(|pair| pair.real).collect();
        let [control, real] = [&controls, &reals].map(|rounds| Figures::all(rounds));
        let paired = |figure: fn(&Figures) -> f64| median(pairs.iter().map(|pair| figure(&pair.real) - figure(&pair.control)));
        Self {
            worst: real.worst - control.worst,
            control,
            real,
            paired: Figures {
                p50: paired(|round| round.p50),
                p9999: paired(|round| round.p9999),
                worst: paired(|round| round.worst),
            },
            spread: Figures::spread(&controls),
        }
    }
}

fn most(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(control: f64, real: f64) -> Both {
        let figures = |worst| Figures {
            p50: 1.0,
            p9999: worst / 10.0,
            worst,
        };
        Both {
            control: figures(control),
            real: figures(real),
        }
    }

    #[test]
    fn an_excess_is_what_a_control_does_not_show() {
        let pairs = [both(300.0, 310.0), both(100.0, 150.0), both(900.0, 400.0)];
        let excess = Excess::of(&pairs);
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
        near(excess.control.p9999, 30.0);
        near(excess.real.p9999, 31.0);
        near(excess.paired.p9999, 1.0);
        near(excess.worst, -500.0);
        near(excess.paired.worst, 10.0);
        near(excess.spread.p9999, 80.0);
    }
}
