use std::{fmt, sync::Arc, time::SystemTime};

use super::{Samples, samples::Sink};
use crate::{Descriptor, FamilyBuilder, RegisterError, Vitals, instrument::Single, labels::ConstantLabels};

/// A family whose points are made of rows at each scrape: what [`FamilyBuilder::computed`] gives. It is shown once it is registered, by
/// [`Vitals::register_collector`].
#[must_use = "nothing is shown until it is registered with a collector"]
pub struct Computed<R> {
    pub(super) descriptor: Descriptor,
    pub(super) constant: Arc<ConstantLabels>,
    /// Whether the name may be a reserved one.
    pub(super) house: bool,
    pub(super) start: SystemTime,
    show: Box<Show<R>>,
}

/// Gives the points of a row.
type Show<R> = dyn Fn(&R, &mut Sink<'_>) + Send + Sync;

impl<I: Single> FamilyBuilder<I> {
    /// Declares a family without series of its own: `show` gives the points that a row has, none or any number, whenever the family comes
    /// out. The rows are those that its [collector](Vitals::register_collector) gave when the scrape began.
    ///
    /// The family has no budgets, so it is for rows whose number is bounded otherwise. What is said here of labels, by
    /// [`budget`](Self::budget) or [`closed`](Self::closed), stands in the catalogue, and `show` has to keep to it. It is called twice for
    /// each row of a scrape, to count the points and to show them, so it should only read what the row says.
    ///
    /// # Errors
    /// As [`labels`](Self::labels), but for names that are taken, which the registration finds. Also when the builder was told a budget of
    /// series or an expiry, which such a family does not have.
    pub fn computed<R, const N: usize>(
        self,
        labels: [&str; N],
        show: impl Fn(&R, &mut Samples<'_, N>) + Send + Sync + 'static,
    ) -> Result<Computed<R>, RegisterError> {
        let (vitals, descriptor, house) = self.describe_computed(&labels)?;
        Ok(Computed {
            descriptor,
            constant: Arc::clone(&vitals.settings().constant),
            house,
            start: vitals.clock().wall(vitals.clock().now()),
            show: Box::new(move |row, sink| show(row, &mut Samples::new(sink))),
        })
    }
}

impl<R> Computed<R> {
    /// Name, help, type and labels.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    pub(super) fn show(&self, row: &R, sink: &mut Sink<'_>) {
        (self.show)(row, sink);
    }

    /// Whether it was declared on this Vitals, whose constant labels it has.
    pub(super) fn is_of(&self, vitals: &Vitals) -> bool {
        Arc::ptr_eq(&self.constant, &vitals.settings().constant)
    }
}

impl<R> fmt::Debug for Computed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Computed")
            .field("descriptor", &self.descriptor)
            .finish_non_exhaustive()
    }
}
