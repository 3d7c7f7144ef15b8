use std::{fmt, sync::Arc, time::SystemTime};

use super::{HistogramSamples, Samples, samples::Sink};
use crate::{
    Descriptor, FamilyBuilder, Histogram, Instrument, RegisterError, Vitals, family::Described, instrument::Single,
    labels::ConstantLabels,
};

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
    /// For histograms there is [`computed_histogram`](FamilyBuilder::computed_histogram).
    ///
    /// # Errors
    /// As [`labels`](Self::labels), but for names that are taken, which the registration finds. Also when the builder was told a budget of
    /// series or an expiry, which such a family does not have.
    pub fn computed<R, const N: usize>(
        self,
        labels: [&str; N],
        show: impl Fn(&R, &mut Samples<'_, N>) + Send + Sync + 'static,
    ) -> Result<Computed<R>, RegisterError> {
        let described = self.describe_computed(&labels)?;
        let show = move |row: &R, sink: &mut Sink<'_>| show(row, &mut Samples::new(sink));
        Ok(Computed::new(described, Box::new(show)))
    }
}

impl FamilyBuilder<Histogram> {
    /// Declares histograms without series of their own, as [`computed`](Self::computed) does it for counters and gauges: `show` gives the
    /// histograms that a row has, in the [`buckets`](Self::buckets) of the family.
    ///
    /// # Errors
    /// As [`computed`](Self::computed), and when bounds of buckets break a rule.
    ///
    /// # Example
    /// ```
    /// use tower_vitals_core::{Vitals, encode::{Number, Protocol}};
    ///
    /// struct Queue {
    ///     name: &'static str,
    ///     /// Messages of up to 64 bytes, of up to 256, and longer ones.
    ///     messages: [u64; 3],
    ///     bytes: u64,
    /// }
    ///
    /// let vitals = Vitals::new();
    /// let sizes = vitals
    ///     .histogram("queue_message_size_bytes", "Sizes of messages")
    ///     .buckets([64.0, 256.0])
    ///     .computed_histogram(["queue"], |queue: &Queue, samples| {
    ///         samples.push([queue.name], &queue.messages, Number::Unsigned(queue.bytes));
    ///     })?;
    /// let collect = || vec![Queue { name: "mail", messages: [5, 2, 1], bytes: 4_210 }];
    /// vitals.register_collector([sizes], collect)?;
    ///
    /// let text = vitals.encode_to_string(Protocol::TEXT);
    /// assert!(text.contains(r#"queue_message_size_bytes_bucket{queue="mail",le="256.0"} 7"#));
    /// assert!(text.contains(r#"queue_message_size_bytes_sum{queue="mail"} 4210"#));
    /// assert!(text.contains(r#"queue_message_size_bytes_count{queue="mail"} 8"#));
    /// # Ok::<(), tower_vitals_core::RegisterError>(())
    /// ```
    pub fn computed_histogram<R, const N: usize>(
        self,
        labels: [&str; N],
        show: impl Fn(&R, &mut HistogramSamples<'_, N>) + Send + Sync + 'static,
    ) -> Result<Computed<R>, RegisterError> {
        let described = self.describe_computed(&labels)?;
        let bounds = described.config.bounds.clone();
        let show = move |row: &R, sink: &mut Sink<'_>| show(row, &mut HistogramSamples::new(&bounds, sink));
        Ok(Computed::new(described, Box::new(show)))
    }
}

// === impl Computed ===

impl<R> Computed<R> {
    fn new<I: Instrument>(described: Described<I>, show: Box<Show<R>>) -> Self {
        let Described {
            vitals,
            descriptor,
            house,
            ..
        } = described;
        Self {
            descriptor,
            constant: Arc::clone(&vitals.settings().constant),
            house,
            start: vitals.clock().wall(vitals.clock().now()),
            show,
        }
    }

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
