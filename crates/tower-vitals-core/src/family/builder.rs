use std::{borrow::Cow, sync::Arc, time::Duration};

use super::{DynamicFamily, Family, Handle, family::Inner, values::Values};
use crate::{
    ClosedLabel, Descriptor, Histogram, Label, LabelValues, RegisterError, Unit, Vitals,
    budget::Overflow,
    descriptor::Parts,
    idle::Expiry,
    instrument::{Bounds, HistogramConfig, Instrument},
    name,
    table::Table,
};

/// Declares a family: what [`Vitals::counter`] and its siblings return.
///
/// It ends with [`labels`](Self::labels), or with [`register`](Self::register) for an instrument without labels.
#[derive(Debug)]
#[must_use = "nothing is registered until `labels` or `register` is called"]
pub struct FamilyBuilder<I: Instrument> {
    vitals: Vitals,
    name: String,
    help: String,
    unit: Option<Unit>,
    category: &'static str,
    config: Result<I::Config, String>,
    /// Labels that were given a budget or a closed set, by name.
    special: Vec<(String, LabelValues)>,
    /// How many values other labels may take.
    label_budget: usize,
    most: Option<usize>,
    expire_after: Option<Duration>,
    house: bool,
}

/// What a family without series of its own is, as its builder was told.
pub(crate) struct Described<I: Instrument> {
    pub(crate) vitals: Vitals,
    pub(crate) descriptor: Descriptor,
    pub(crate) config: I::Config,
    /// Whether the name may be a reserved one.
    pub(crate) house: bool,
}

impl<I: Instrument> FamilyBuilder<I> {
    pub(crate) fn new(vitals: &Vitals, name: &str, help: &str) -> Self {
        Self {
            vitals: vitals.clone(),
            name: name.into(),
            help: help.into(),
            unit: None,
            category: "app",
            config: Ok(I::Config::default()),
            special: Vec::new(),
            label_budget: vitals.settings().label_budget,
            most: None,
            expire_after: None,
            house: false,
        }
    }

    /// The unit of the samples. It ends the family's name; whether you write it there or not, it comes out once. A name that ends in
    /// a unit has that unit without being told.
    ///
    /// Histograms in seconds sum up whole nanoseconds.
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = Some(unit);
        self
    }

    /// The group under which catalogues list the family.
    pub fn category(mut self, category: &'static str) -> Self {
        self.category = category;
        self
    }

    /// How many distinct values a label may take, in place of the [`Vitals`]' default. Further ones become `_other`.
    pub fn budget(mut self, label: &str, most: usize) -> Self {
        self.special.push((label.into(), LabelValues::Budget(most)));
        self
    }

    /// Says that a label takes the values of an enum and no others. It needs no budget then.
    pub fn closed<C: ClosedLabel>(self, label: &str) -> Self {
        self.closed_to(label, C::VALUES)
    }

    /// Says that a label takes these values and no others, for sets that are put together when the program starts.
    #[doc(hidden)]
    pub fn closed_to(mut self, label: &str, values: impl Into<Cow<'static, [&'static str]>>) -> Self {
        self.special.push((label.into(), LabelValues::Closed(values.into())));
        self
    }

    /// How many series the family may have, in place of the [`Vitals`]' default. Beyond that every label with a budget becomes
    /// `_other`, so there can be as many more as the closed labels have combinations.
    pub fn series_budget(mut self, most: usize) -> Self {
        self.most = Some(most);
        self
    }

    /// Lets series go that were not used for so long: which nobody got by [`with`](Family::with) or [`get`](Family::get), and nobody held
    /// when a scrape looked. A series of an [`InFlight`](crate::InFlight) that is above zero is in use.
    ///
    /// A series that went is in no scrape and makes room in the budgets: in that of series, and in those of its labels for values that no
    /// other series has. What it had counted is not added to `_other`. If it comes back it starts at zero, with a new start timestamp, which
    /// Prometheus understands as a restart. None goes earlier than after this time, and up to a twelfth later or, if that is longer, when
    /// the next scrape comes or a budget needs room. Nothing of this needs a thread.
    ///
    /// # Cost
    /// Each [`with`](Family::with) reads the clock, and each series takes some 60 bytes more. A look at all series is taken before a scrape,
    /// and when a budget is full, at most 64 times in this time.
    pub fn expire_after(mut self, idle: Duration) -> Self {
        self.expire_after = Some(idle);
        self
    }

    /// Registers the family.
    ///
    /// Registering a name again with the same help, type, unit and labels gives the same family; budgets and expiry are those of the
    /// first.
    ///
    /// # Errors
    /// When Prometheus would refuse a name, when a budget names a label that is not there, when series would expire at once, or when the name is taken by a family of
    /// another shape.
    pub fn labels<const N: usize>(self, labels: [&str; N]) -> Result<Family<I, N>, RegisterError> {
        self.add(&labels).map(Family::new)
    }

    /// Registers the family with labels whose number is known only when the program runs.
    ///
    /// # Errors
    /// As [`labels`](Self::labels).
    #[doc(hidden)]
    pub fn labels_of(self, labels: &[&str]) -> Result<DynamicFamily<I>, RegisterError> {
        self.add(labels).map(DynamicFamily::new)
    }

    /// Registers an instrument without labels.
    ///
    /// # Errors
    /// As [`labels`](Self::labels).
    pub fn register(self) -> Result<Handle<I>, RegisterError> {
        Ok(self.labels([])?.with([]).hold())
    }

    /// For the crates of this house: the name is one of those that are reserved for them, and a label whose name is a constant
    /// label becomes `exported_<name>` rather than an error.
    #[doc(hidden)]
    pub fn house(mut self) -> Self {
        self.house = true;
        self
    }

    /// Describes a family that has no series of its own.
    pub(crate) fn describe_computed(mut self, labels: &[&str]) -> Result<Described<I>, RegisterError> {
        self.label_budget = usize::MAX;
        let (descriptor, config) = self.describe(labels)?;
        if self.most.is_some() || self.expire_after.is_some() {
            let rule = "a computed family has no series to keep to a budget or to expire";
            return Err(RegisterError::invalid(descriptor.name(), rule));
        }
        Ok(Described {
            vitals: self.vitals,
            descriptor,
            config,
            house: self.house,
        })
    }

    fn add(self, labels: &[&str]) -> Result<Arc<Inner<I>>, RegisterError> {
        let vitals = self.vitals.clone();
        let house = self.house;
        let inner = self.declare(labels)?;
        vitals.registry().register(inner, house)
    }

    fn declare(self, labels: &[&str]) -> Result<Inner<I>, RegisterError> {
        let (descriptor, config) = self.describe(labels)?;
        let settings = self.vitals.settings();
        let overflow = |label: &str, budget: Option<usize>| {
            let family = self.vitals.overflow()?.clone();
            Some(Overflow::new(family, &descriptor.sample_name(), label, budget))
        };
        let values = |label: &Label| match label.values() {
            LabelValues::Budget(most) => Values::open(*most, overflow(label.name(), Some(*most))),
            LabelValues::Closed(set) => Values::closed(set.clone(), overflow(label.name(), None)),
        };
        let is_closed = |label: &Label| matches!(label.values(), LabelValues::Closed(_));
        // What closed labels can make needs no budget, and nothing could become `_other`.
        let most = if descriptor.labels().iter().all(is_closed) {
            usize::MAX
        } else {
            self.most.unwrap_or(settings.series_budget)
        };
        Ok(Inner {
            config,
            constant: Arc::clone(&settings.constant),
            clock: settings.clock.clone(),
            values: descriptor.labels().iter().map(values).collect(),
            most,
            overflow: overflow(OF_FAMILY, Some(most)),
            hasher: settings.hasher.clone(),
            table: Table::new(),
            expiry: self.expire_after.map(Expiry::new),
            descriptor,
        })
    }

    /// Checks everything that can be checked without the registry.
    fn describe(&self, labels: &[&str]) -> Result<(Descriptor, I::Config), RegisterError> {
        let namespace = &self.vitals.settings().namespace;
        let (name, unit) = name::family(namespace, &self.name, I::KIND, self.unit)?;
        let help = self.help.replace('\0', "\u{FFFD}");
        if help.trim().is_empty() {
            return Err(RegisterError::invalid(&name, "help must say what is counted or measured"));
        }
        let mut config = self.config.clone().map_err(|rule| RegisterError::invalid(&name, rule))?;
        I::configure(&mut config, unit);
        if self.expire_after.is_some_and(|idle| idle.is_zero()) {
            return Err(RegisterError::invalid(&name, "series must be kept for longer than no time"));
        }
        let labels = self.declared(&name, labels)?;
        let parts = Parts {
            name: name.into(),
            help: help.into(),
            kind: I::KIND,
            unit,
            category: self.category,
            labels,
        };
        Ok((Descriptor::new(parts), config))
    }

    /// The labels with the values that they may take, checked.
    fn declared(&self, family: &str, labels: &[&str]) -> Result<Box<[Label]>, RegisterError> {
        for (label, _) in &self.special {
            if !labels.contains(&label.as_str()) {
                let rule = format!(
                    "budget or closed set for label `{}`, but the labels are {labels:?}",
                    label.escape_debug()
                );
                return Err(RegisterError::invalid(family, rule));
            }
        }
        let mut declared: Vec<Label> = Vec::with_capacity(labels.len());
        for label in labels {
            name::label(label)?;
            let name = self.free_of_constants(label)?;
            if declared.iter().any(|known| *known.name == *name) {
                return Err(RegisterError::name("label name", label, "is declared twice"));
            }
            let special = self.special.iter().rev().find(|(known, _)| known == label);
            let values = special.map_or(LabelValues::Budget(self.label_budget), |(_, values)| values.clone());
            declared.push(Label {
                name: name.into(),
                values,
            });
        }
        Ok(declared.into())
    }

    /// The label's name, which no constant label has.
    fn free_of_constants<'a>(&self, label: &'a str) -> Result<Cow<'a, str>, RegisterError> {
        let constant = &self.vitals.settings().constant;
        let mut name = Cow::Borrowed(label);
        while constant.has(&name) {
            if !self.house {
                return Err(RegisterError::name("label name", label, "is a constant label already"));
            }
            name = Cow::Owned(format!("exported_{name}"));
        }
        Ok(name)
    }
}

/// What stands in `vitals_label_overflow_total{label}` when the family's budget of series is used up.
const OF_FAMILY: &str = "_series";

impl FamilyBuilder<Histogram> {
    /// The upper bounds of the buckets, rising, in the unit of the family; `+Inf` is always there. Without this they go from 5 ms
    /// to 10 s.
    pub fn buckets(mut self, bounds: impl AsRef<[f64]>) -> Self {
        self.config = Bounds::try_new(bounds.as_ref()).map(|bounds| HistogramConfig { bounds, time: false });
        self
    }
}

/// What an error message says of a family.
pub(super) fn shape<I: Instrument>(descriptor: &Descriptor, config: &I::Config) -> String {
    let config = format!("{config:?}");
    let config = if config == "()" {
        String::new()
    } else {
        format!(" with {config}")
    };
    format!("{} {descriptor}{config}", I::NAME)
}
