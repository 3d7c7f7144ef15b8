use std::{any::Any, borrow::Cow, fmt, hash::BuildHasher, sync::Arc};

use foldhash::fast::RandomState;

use super::{
    AnyFamily, Ref, Series,
    aging::Aging,
    values::{Bounded, Values, as_kept},
};
use crate::{
    Clock, Descriptor,
    budget::{Known, Overflow},
    encode::Visitor,
    idle::Expiry,
    instrument::Instrument,
    labels::{ConstantLabels, Labels, OTHER, SeriesLabels, label_value},
    scrape::Scrape,
    table::{Entry, Table},
};

/// A named instrument with `N` labels; each set of label values is a series.
///
/// # Example
/// ```
/// let vitals = tower_vitals_core::Vitals::new();
/// let jobs = vitals.counter("jobs_total", "Jobs run").labels(["queue", "outcome"])?;
/// jobs.with(["mail", "ok"]).inc();
/// let failed = jobs.with(["mail", "failed"]).hold(); // to keep, for instance in a struct
/// failed.inc_by(2);
/// assert_eq!(jobs.with(["mail", "failed"]).get(), 2);
/// # Ok::<(), tower_vitals_core::RegisterError>(())
/// ```
///
/// # Clone
/// Clones are cheap and share the series.
pub struct Family<I: Instrument, const N: usize> {
    inner: Arc<Inner<I>>,
}

/// A family whatever its number of labels.
pub(crate) struct Inner<I: Instrument> {
    pub(super) descriptor: Descriptor,
    pub(super) config: I::Config,
    pub(super) constant: Arc<ConstantLabels>,
    pub(super) clock: Clock,
    pub(super) values: Box<[Values]>,
    /// Most series that labels with budgets may make.
    pub(super) most: usize,
    pub(super) overflow: Option<Overflow>,
    pub(super) hasher: RandomState,
    pub(super) table: Table<Series<I>>,
    pub(super) expiry: Option<Expiry>,
}

// === impl Family ===

impl<I: Instrument, const N: usize> Family<I, N> {
    pub(super) fn new(inner: Arc<Inner<I>>) -> Self {
        Self { inner }
    }

    /// The series with these label values, made now if there is none yet.
    ///
    /// Values stand in the order in which the labels were declared. Any text is allowed: what Prometheus could not read is replaced
    /// (NUL by U+FFFD), and what is longer than 1,024 bytes is cut. A value beyond its label's budget, or not in its closed set, is
    /// recorded as `_other` and counted in `vitals_label_overflow_total`.
    ///
    /// # Cost
    /// For a known series a hash of the values and a comparison; no lock, no allocation. A new series takes a lock that other new
    /// series of the family take too, and so does who looks for a series at the moment in which [`remove`](Self::remove) tries whether it
    /// is in use.
    #[must_use = "the series is given, but nothing is recorded yet"]
    pub fn with(&self, values: [&str; N]) -> Ref<I> {
        self.inner.with(&values)
    }

    /// The series with these label values, if there is one.
    #[must_use]
    pub fn get(&self, values: [&str; N]) -> Option<Ref<I>> {
        self.inner.get(&values)
    }

    /// Takes the series with these label values out of the scrapes, and says whether it did: not when there is none, and not when
    /// somebody holds it. If it comes back, it starts at zero, which Prometheus understands as a restart.
    ///
    /// Removing a series makes room in the family's budget of series. Its values stay known to the labels' budgets, unless the family
    /// [expires](crate::FamilyBuilder::expire_after).
    #[allow(clippy::must_use_candidate)] // whether it was there often does not matter
    pub fn remove(&self, values: [&str; N]) -> bool {
        self.inner.remove(&values)
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.table.len()
    }

    /// Whether there are no series yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name, help, type and labels.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.inner.descriptor
    }

    /// Whether the label with this number knows the value or has room for it; a refusal is counted in `vitals_label_overflow_total`.
    ///
    /// For code that keeps something of its own for each value, and must not keep more than the family does. A family that
    /// [expires](crate::FamilyBuilder::expire_after) forgets values that no series has.
    #[must_use]
    pub fn admits(&self, label: usize, value: &str) -> bool {
        self.inner.admits(label, value)
    }
}

impl<I: Instrument, const N: usize> Family<I, N> {
    /// Counts a value of the label with this number that code with a budget of its own refused.
    #[doc(hidden)]
    pub fn count_overflow(&self, label: usize, most: usize) {
        if let Some(Values::Open(budget)) = self.inner.values.get(label) {
            budget.count_refusal_beyond(most);
        }
    }
}

impl<I: Instrument, const N: usize> Clone for Family<I, N> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<I: Instrument, const N: usize> fmt::Debug for Family<I, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family")
            .field("descriptor", &self.inner.descriptor)
            .field("series", &self.len())
            .finish_non_exhaustive()
    }
}

// === impl Inner ===

impl<I: Instrument> Inner<I> {
    /// Whether a name that is registered again means this family.
    pub(crate) fn same_shape(&self, other: &Self) -> bool {
        self.descriptor.same_shape(&other.descriptor) && self.config == other.config
    }

    pub(super) fn with(&self, values: &[&str]) -> Ref<I> {
        let series = match self.find(values) {
            Some(known) => known,
            None => self.make(values),
        };
        self.touch(&series);
        Ref::new(series)
    }

    pub(super) fn get(&self, values: &[&str]) -> Option<Ref<I>> {
        let as_kept = || self.find(&as_kept(values));
        let series = self.find(values).or_else(as_kept)?;
        self.touch(&series);
        Some(Ref::new(series))
    }

    pub(super) fn remove(&self, values: &[&str]) -> bool {
        let values = as_kept(values);
        let hash = self.hasher.hash_one(values.as_slice());
        let removed = self.table.take_if(hash, |series| series.labels.are(&values));
        removed.map(|series| self.forget(series)).is_some()
    }

    pub(super) fn admits(&self, label: usize, value: &str) -> bool {
        match self.values.get(label) {
            Some(allowed) => self.admit(allowed, &label_value(value)).is_ok(),
            None => false,
        }
    }

    fn find<V: AsRef<str> + std::hash::Hash>(&self, values: &[V]) -> Option<Entry<Series<I>>> {
        let hash = self.hasher.hash_one(values);
        self.table.get(hash, |series| series.labels.are(values))
    }

    /// The series for values that were not found as they are: bounded first, then found or made.
    #[cold]
    fn make(&self, values: &[&str]) -> Entry<Series<I>> {
        let is_full = || self.table.len() >= self.most;
        let full = is_full() && (!self.expire() || is_full());
        let Bounded { mut values, known } = self.bound(values, full);
        let made = if full {
            self.find(&values)
        } else {
            self.find_or_insert(&values, known, self.most)
        };
        if let Some(entry) = made {
            return entry;
        }
        if let Some(overflow) = &self.overflow {
            overflow.count();
        }
        for (value, allowed) in values.iter_mut().zip(&self.values) {
            if matches!(allowed, Values::Open(_)) {
                *value = Cow::Borrowed(OTHER);
            }
        }
        match self.find_or_insert(&values, Vec::new(), usize::MAX) {
            Some(entry) => entry,
            None => unreachable!("more series than memory can hold"),
        }
    }

    fn find_or_insert(&self, values: &[Cow<'_, str>], known: Vec<Known>, most: usize) -> Option<Entry<Series<I>>> {
        let hash = self.hasher.hash_one(values);
        self.table.get_or_insert(
            hash,
            |series| series.labels.are(values),
            most,
            |_| Series {
                labels: SeriesLabels::new(&self.constant, self.descriptor.labels(), values),
                created: self.clock.now(),
                instrument: I::new(&self.config),
                aging: self.expiry.as_ref().map(|_| Box::new(Aging::new(self.clock.nanos(), known))),
            },
        )
    }
}

impl<I: Instrument> AnyFamily for Inner<I> {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn expire(&self) {
        Self::expire(self);
    }

    fn len(&self) -> usize {
        self.table.len()
    }

    fn visit(&self, from: usize, scrape: &Scrape, visitor: &mut dyn Visitor) -> Option<usize> {
        let mut scratch = Vec::new();
        let end = self.table.end();
        for number in from..end {
            // A series that was made after the scrape began may stand for one that was shown already and then removed.
            let Some(series) = self.table.slot(number).filter(|series| series.created <= scrape.began) else {
                continue;
            };
            let labels = Labels::new(&self.constant, self.descriptor.labels(), &series.labels);
            let start = self.clock.wall(series.created);
            series.instrument.point(&self.config, start, &mut scratch, &mut |point| {
                visitor.point(&labels, point);
            });
            if visitor.is_full() {
                return (number + 1 < end).then_some(number + 1);
            }
        }
        None
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn shape(&self) -> String {
        super::builder::shape::<I>(&self.descriptor, &self.config)
    }
}
