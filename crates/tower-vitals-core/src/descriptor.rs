//! What a family says about itself.

use std::{borrow::Cow, fmt, sync::Arc};

/// Name, help, unit, type and labels of a family: what the catalogue lists and the encoders print before the samples.
///
/// Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct Descriptor {
    inner: Arc<Parts>,
}

#[derive(PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) name: Box<str>,
    pub(crate) help: Box<str>,
    pub(crate) kind: Kind,
    pub(crate) unit: Option<Unit>,
    pub(crate) category: &'static str,
    pub(crate) labels: Box<[Label]>,
}

/// A label of a family: its name and which values it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub(crate) name: Box<str>,
    pub(crate) values: LabelValues,
}

/// Which values a label may take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelValues {
    /// Any text, but at most so many different ones; further ones become `_other`.
    Budget(usize),
    /// These and no others.
    Closed(Cow<'static, [&'static str]>),
}

/// The type of a family, as Prometheus knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Only ever rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// The unit of a family's samples. Its text ends the family's name, as OpenMetrics demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Time.
    Seconds,
    /// Sizes.
    Bytes,
    /// Parts of a whole, from 0 to 1.
    Ratio,
    /// Temperatures.
    Celsius,
    /// Energy.
    Joules,
    /// Lengths.
    Meters,
    /// Weights.
    Grams,
    /// Electric potential.
    Volts,
    /// Electric current.
    Amperes,
}

// === impl Descriptor ===

impl Descriptor {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { inner: Arc::new(parts) }
    }

    /// The family's name with namespace and unit, without a counter's `_total`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The name under which PromQL finds the samples: that of [`name`](Self::name), with `_total` for a counter. A histogram's samples
    /// add `_bucket`, `_sum` and `_count` to it.
    #[must_use]
    pub fn sample_name(&self) -> String {
        match self.inner.kind {
            Kind::Counter => format!("{}_total", self.inner.name),
            Kind::Gauge | Kind::Histogram => self.inner.name.to_string(),
        }
    }

    /// What the family counts or measures, in a sentence.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.inner.help
    }

    /// The family's type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// The unit of the samples.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        self.inner.unit
    }

    /// The group under which catalogues list the family; `app` unless said otherwise.
    #[must_use]
    pub fn category(&self) -> &'static str {
        self.inner.category
    }

    /// The family's labels, in the order in which [`with`](crate::Family::with) takes their values. Constant labels and a histogram's
    /// `le` are not among them.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.inner.labels
    }

    /// Whether the two describe the same family, whatever their labels' budgets.
    pub(crate) fn same_shape(&self, other: &Self) -> bool {
        let names = |labels: &[Label]| labels.iter().map(|label| label.name.clone()).collect::<Vec<_>>();
        self.name() == other.name()
            && self.help() == other.help()
            && self.kind() == other.kind()
            && self.unit() == other.unit()
            && names(self.labels()) == names(other.labels())
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Descriptor")
            .field("name", &self.name())
            .field("help", &self.help())
            .field("kind", &self.kind())
            .field("unit", &self.unit())
            .field("category", &self.category())
            .field("labels", &self.labels())
            .finish()
    }
}

impl fmt::Display for Descriptor {
    /// One line: type, name, labels and help.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{{", self.kind(), self.sample_name())?;
        for (at, label) in self.labels().iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { "," }, label.name)?;
        }
        write!(f, "}} \"{}\"", self.help())
    }
}

// === impl Label ===

impl Label {
    /// The label's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which values it may take.
    #[must_use]
    pub fn values(&self) -> &LabelValues {
        &self.values
    }
}

// === impl Kind ===

impl Kind {
    /// The word that stands in a `# TYPE` line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    /// What the names of this type's samples and of its OpenMetrics family add to the family's name.
    pub(crate) const fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["", "_total", "_created"],
            Self::Gauge => &[""],
            Self::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Unit ===

impl Unit {
    pub(crate) const ALL: [Self; 9] = [
        Self::Seconds,
        Self::Bytes,
        Self::Ratio,
        Self::Celsius,
        Self::Joules,
        Self::Meters,
        Self::Grams,
        Self::Volts,
        Self::Amperes,
    ];

    /// The word that ends the family's name and stands in a `# UNIT` line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Ratio => "ratio",
            Self::Celsius => "celsius",
            Self::Joules => "joules",
            Self::Meters => "meters",
            Self::Grams => "grams",
            Self::Volts => "volts",
            Self::Amperes => "amperes",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
