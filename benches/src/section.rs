//! What a part has found out.

use crate::table;

/// A part's results, as they stand in `RESULTS.md`.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    /// What was to be reached.
    pub(crate) goals: Vec<Goal>,
    /// Markdown: tables as aligned text between fences, then the method (what ran, what is subtracted, what is noise).
    pub(crate) text: String,
}

/// A figure to reach, and the one that was found.
#[derive(Debug)]
pub(crate) struct Goal {
    what: &'static str,
    found: f64,
    most: f64,
    unit: &'static str,
}

impl Goal {
    /// `found` shall be `most` or less.
    pub(crate) fn at_most(what: &'static str, found: f64, most: f64, unit: &'static str) -> Self {
        Self { what, found, most, unit }
    }

    fn row(&self) -> [String; 5] {
        // What is no number was not reached either.
        let reached = self.found <= self.most;
        [
            self.what.to_owned(),
            format!("{:.2}", self.found),
            format!("{:.2}", self.most),
            self.unit.to_owned(),
            if reached { "yes" } else { "no" }.to_owned(),
        ]
    }
}

/// The goals of some sections as one table.
pub(crate) fn goals<'a>(sections: impl IntoIterator<Item = &'a Section>) -> String {
    let heading = ["goal", "found", "at most", "unit", "reached"].map(str::to_owned);
    let rows = sections.into_iter().flat_map(|section| section.goals.iter().map(Goal::row));
    table::align(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_at_its_bound_and_never_by_what_is_no_number() {
        let reached = |found| Goal::at_most("x", found, 1.5, "ns").row()[4].clone();
        assert_eq!([1.5, 1.51, f64::NAN].map(reached), ["yes", "no", "no"]);
    }
}
