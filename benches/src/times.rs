//! What things add on one thread and on two at once, as a table.

use crate::{pairs::Added, table};

/// What something adds, where it is timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) one: Option<Added>,
    pub(crate) two: Option<Added>,
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Whether it is what the others of its block add to. What that adds to itself is noise, whose ratios say nothing.
    pub(crate) is_base: bool,
    pub(crate) times: Times,
    /// What it is a multiple of.
    pub(crate) whole: Option<Times>,
}

/// The lines under each other, in nanoseconds with so many digits. `whole` says what they are multiples of.
pub(crate) fn table(whole: &str, digits: usize, lines: impl IntoIterator<Item = Line>) -> String {
    let multiple = format!("x {whole}");
    let heading = [
        "",
        "1 thread",
        "half",
        "pairs",
        &multiple,
        "2 threads",
        "half",
        "pairs",
        "2 / 1",
    ];
    let rows = lines.into_iter().map(|line| line.row(digits));
    table::align(&[heading.map(str::to_owned)].into_iter().chain(rows).collect::<Vec<_>>())
}

impl Line {
    fn row(self, digits: usize) -> [String; 9] {
        let Self { times, whole, .. } = self;
        let ratio = |part: Option<Added>, whole: Option<Added>| match (self.is_base, part, whole) {
            (false, Some(part), Some(whole)) => format!("{:.2}", part.of(whole)),
            _ => "-".to_owned(),
        };
        let cells = |added: Option<Added>| match added {
            Some(Added { added, pairs, .. }) => [format!("{:+.digits$}", added.median), added.spread(digits), pairs.to_string()],
            None => ["-"; 3].map(str::to_owned),
        };
        let [one, one_half, one_pairs] = cells(times.one);
        let [two, two_half, two_pairs] = cells(times.two);
        [
            self.name,
            one,
            one_half,
            one_pairs,
            ratio(times.one, whole.and_then(|whole| whole.one)),
            two,
            two_half,
            two_pairs,
            ratio(times.two, times.one),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quartiles::Quartiles;

    fn added(nanos: f64) -> Option<Added> {
        let added = Quartiles::of(vec![nanos])?;
        let (base, pairs) = (1.0, 7);
        Some(Added { base, added, pairs })
    }

    #[test]
    fn what_is_not_timed_and_the_ratios_of_the_base_are_dashes() {
        let (one, two) = (added(2.0), added(3.0));
        let line = |name: &str, is_base, times, whole| {
            let name = name.to_owned();
            Line {
                name,
                is_base,
                times,
                whole,
            }
            .row(1)
        };
        let both = Times { one, two };
        let base = line("base", true, both, Some(both));
        assert_eq!(base, ["base", "+2.0", "2.0..2.0", "7", "-", "+3.0", "3.0..3.0", "7", "-"]);
        let other = Times {
            one: added(5.0),
            two: None,
        };
        let found = line("other", false, other, Some(both));
        assert_eq!(found, ["other", "+5.0", "5.0..5.0", "7", "2.50", "-", "-", "-", "-"]);
        assert_eq!(line("both", false, both, None)[8], "1.50");
    }
}
