//! How a [`Vitals`] is set up.

use crate::{Clock, RegisterError, Vitals, labels::ConstantLabels, name, reserved};

/// Sets up a [`Vitals`].
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is made until `build` is called"]
pub struct VitalsBuilder {
    pub(crate) namespace: String,
    constant: Vec<(String, String)>,
    pub(crate) label_budget: Option<usize>,
    pub(crate) series_budget: Option<usize>,
    pub(crate) clock: Clock,
}

impl VitalsBuilder {
    /// The first words of every family's name, such as the name of the application.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// A label that every series carries, such as `service`.
    ///
    /// Where one of tower-vitals' own families has a label of that name, its label is called `exported_service` instead, as Prometheus
    /// does when names clash. Most names of such labels (`method`, `route`, `status`) are refused.
    pub fn constant_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.constant.push((name.into(), value.into()));
        self
    }

    /// How many distinct values a label may take where its family does not say; 1,000 unless set here.
    pub fn label_budget(mut self, most: usize) -> Self {
        self.label_budget = Some(most);
        self
    }

    /// How many series the labels of a family may make where it does not say; 10,000 unless set here.
    pub fn series_budget(mut self, most: usize) -> Self {
        self.series_budget = Some(most);
        self
    }

    /// The clock by which everything is timed; the system's unless set here.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the Vitals.
    ///
    /// # Errors
    /// When Prometheus would refuse the namespace or a constant label's name, or when such a label is set twice.
    pub fn build(self) -> Result<Vitals, RegisterError> {
        name::namespace(&self.namespace)?;
        let mut constant = ConstantLabels::default();
        for (name, value) in &self.constant {
            if reserved::is_label(name) {
                return Err(RegisterError::name(
                    "constant label",
                    name,
                    "is a label of tower-vitals' own metrics",
                ));
            }
            constant.push(name, value)?;
        }
        Ok(Vitals::with_settings(self, constant))
    }
}
