//! What a Vitals says about itself.

use std::{
    any::Any,
    borrow::Cow,
    sync::{Arc, Weak},
};

use crate::{
    ClosedLabel, CounterFamily, Descriptor, Kind, Label, LabelValues, RegisterError, Vitals,
    descriptor::Parts,
    encode::{Number, Point, Visitor},
    family::AnyFamily,
    labels::{ConstantLabels, Labels, SeriesLabels},
    registry::Registry,
    scrape::Scrape,
};

const CATEGORY: &str = "vitals";

/// Counters of what was refused.
#[derive(Debug)]
pub(crate) struct SelfMetrics {
    pub(crate) overflow: CounterFamily<2>,
    pub(crate) attachment_errors: CounterFamily<1>,
}

crate::closed_label! {
    /// Why families of an attachment or of a collector were left out of a scrape.
    pub(crate) enum Cause {
        /// It gave no text.
        Unreadable => "unreadable",
        /// It panicked.
        Panicked => "panicked",
        /// Somebody else has a family's name.
        Duplicate => "duplicate",
        /// Prometheus would refuse a family.
        Invalid => "invalid",
    }
}

impl SelfMetrics {
    pub(crate) fn register(vitals: &Vitals) -> Result<Self, RegisterError> {
        let unlimited = usize::MAX;
        Ok(Self {
            overflow: vitals
                .counter(
                    "vitals_label_overflow_total",
                    "Label values that a budget or a closed set replaced by _other",
                )
                .category(CATEGORY)
                // Their values are names of families and labels, which come from code.
                .budget("family", unlimited)
                .budget("label", unlimited)
                .series_budget(unlimited)
                .house()
                .labels(["family", "label"])?,
            attachment_errors: vitals
                .counter(
                    "vitals_attachment_errors_total",
                    "Attached or computed families left out of a scrape; an attachment or collector that gives none at all counts once",
                )
                .category(CATEGORY)
                .closed::<Cause>("cause")
                .house()
                .labels(["cause"])?,
        })
    }
}

/// Counts what computed families left out because it panicked.
#[derive(Clone)]
pub(crate) struct Panics {
    errors: Option<CounterFamily<1>>,
}

impl Panics {
    pub(crate) fn of(vitals: &Vitals) -> Self {
        Self {
            errors: vitals.self_metrics().map(|metrics| metrics.attachment_errors.clone()),
        }
    }

    pub(crate) fn count(&self) {
        if let Some(errors) = &self.errors {
            errors.with([Cause::Panicked.as_str()]).inc();
        }
    }
}

/// `vitals_series{family}`: how many series each family has, counted at the scrape.
pub(crate) struct SeriesCount {
    descriptor: Descriptor,
    constant: Arc<ConstantLabels>,
    registry: Weak<Registry>,
}

impl SeriesCount {
    pub(crate) fn new(name: String, constant: Arc<ConstantLabels>, registry: &Arc<Registry>) -> Self {
        let label = Label {
            name: "family".into(),
            values: LabelValues::Budget(usize::MAX),
        };
        Self {
            descriptor: Descriptor::new(Parts {
                name: name.into(),
                help: "Series that a family has".into(),
                kind: Kind::Gauge,
                unit: None,
                category: CATEGORY,
                labels: [label].into(),
            }),
            constant,
            registry: Arc::downgrade(registry),
        }
    }
}

impl AnyFamily for SeriesCount {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn len(&self) -> usize {
        self.registry.upgrade().map_or(0, |registry| registry.families().len())
    }

    fn visit(&self, from: usize, scrape: &Scrape, visitor: &mut dyn Visitor) -> Option<usize> {
        debug_assert_eq!(from, 0, "shown at once");
        for family in &scrape.families {
            family.expire();
            let (name, len) = (
                family.descriptor().sample_name(),
                if is_self(&**family, self) {
                    scrape.families.len()
                } else {
                    family.len()
                },
            );
            let series = SeriesLabels::new(&self.constant, self.descriptor.labels(), &[Cow::Borrowed(name.as_str())]);
            let labels = Labels::new(&self.constant, self.descriptor.labels(), &series);
            visitor.point(&labels, &Point::Gauge(Number::Unsigned(len as u64)));
        }
        None
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn shape(&self) -> String {
        self.descriptor.to_string()
    }
}

/// Asking ourselves would count the families again, and again.
fn is_self(family: &dyn AnyFamily, this: &SeriesCount) -> bool {
    family.descriptor().name() == this.descriptor.name()
}
