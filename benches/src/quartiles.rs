//! The middle of some figures, and how far they spread.

/// What a quarter, a half and three quarters of some figures do not exceed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quartiles {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Quartiles {
    /// Those of some figures, unless there is none.
    pub(crate) fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let at = |quarters: usize| figures.get(figures.len().checked_sub(1)? * quarters / 4).copied();
        Some(Self {
            low: at(1)?,
            median: at(2)?,
            high: at(3)?,
        })
    }

    /// The lower and the upper one as text.
    pub(crate) fn spread(self, digits: usize) -> String {
        format!("{:.digits$}..{:.digits$}", self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_figures_at_a_quarter_of_the_way() {
        let [low, median, high] = [2.0, 3.0, 4.0];
        assert_eq!(
            Quartiles::of(vec![5.0, 3.0, 4.0, 1.0, 2.0]),
            Some(Quartiles { low, median, high })
        );
        assert_eq!(Quartiles::of(vec![]), None);
    }
}
