//! Rounds in pairs: the same recordings beside threads whose work has nothing to do with them, and beside those that scrape what is
//! recorded into and make it grow.

use std::time::Duration;

use super::{
    round::{self, NEW_EVERY, Round},
    subject::{Counters, Scraped},
    unrelated::Unrelated,
};
use crate::Result;

/// How long a round takes.
pub(super) const LENGTH: Duration = Duration::from_millis(1_200);

/// Pairs of rounds. An odd number has a middle.
pub(super) const PAIRS: usize = 5;

/// New series that are due in a round.
pub(super) const DUE: usize = (LENGTH.as_millis() / NEW_EVERY.as_millis()) as usize;

/// A round without and one with our data in common.
pub(super) struct Pair {
    /// What is recorded into is not what is scraped and grows.
    pub(super) control: Round,
    pub(super) real: Round,
}

/// What becomes of a round with too few scrapes and new series for recordings to be held up by.
#[derive(Clone, Copy)]
pub(super) enum Shortfall {
    /// The machine was busy with something else: another try, then an error.
    Refused,
    /// It is what this library does, and stands in the table.
    #[cfg_attr(not(feature = "rivals"), allow(dead_code))]
    Shown,
}

/// Runs pairs of rounds on families that have as many series at the start.
pub(super) fn run<S: Scraped>(series: usize, shortfall: Shortfall) -> Result<Vec<Pair>> {
    let apart = S::with_series(series);
    let unrelated = || round::run(&apart, &Unrelated::with_series(series), series, LENGTH);
    let related = || {
        let busy = S::with_series(series);
        round::run(&busy, &busy, series, LENGTH)
    };
    let control = || full(&unrelated, Shortfall::Refused);
    let real = || full(&related, shortfall);
    (0..PAIRS)
        .map(|pair| {
            // Neither is always the first.
            if pair % 2 == 0 {
                let control = control()?;
                Ok(Pair { control, real: real()? })
            } else {
                let real = real()?;
                Ok(Pair {
                    control: control()?,
                    real,
                })
            }
        })
        .collect()
}

/// A round that has enough of everything, unless what is missing is to be shown.
fn full(round: &dyn Fn() -> Result<Round>, shortfall: Shortfall) -> Result<Round> {
    let first = round()?;
    if is_full(&first) || matches!(shortfall, Shortfall::Shown) {
        return Ok(first);
    }
    let second = round()?;
    if is_full(&second) {
        return Ok(second);
    }
    Err(format!(
        "the machine is too busy: two rounds of {LENGTH:?} saw {} and {} scrapes, {} and {} new series of {DUE}",
        first.scrapes, second.scrapes, first.new_series, second.new_series
    )
    .into())
}

fn is_full(round: &Round) -> bool {
    round.scrapes > 0 && round.new_series >= DUE / 2
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{super::histogram::Histogram, *};

    /// Rounds with so many new series each, and how many of them were asked for.
    fn rounds(new_series: [usize; 2], shortfall: Shortfall) -> (Option<usize>, usize) {
        let asked = Cell::new(0);
        let round = || {
            let at = asked.replace(asked.get() + 1);
            Ok(Round {
                times: Histogram::new(),
                held: None,
                sleeps: None,
                scrapes: 1,
                new_series: new_series[at],
            })
        };
        let found = full(&round, shortfall).ok().map(|round| round.new_series);
        (found, asked.get())
    }

    #[test]
    fn a_round_that_falls_short_is_tried_again_or_shown() {
        assert_eq!(rounds([DUE, 0], Shortfall::Refused), (Some(DUE), 1));
        assert_eq!(rounds([3, DUE], Shortfall::Refused), (Some(DUE), 2));
        assert_eq!(rounds([3, 4], Shortfall::Refused), (None, 2));
        assert_eq!(rounds([3, DUE], Shortfall::Shown), (Some(3), 1));
    }
}
