//! What a parser found in an exposition.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Result;

mod histogram;

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// All the families of an exposition, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    /// The families; no series is there twice.
    pub families: Vec<Family>,
}

/// A metric family.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name, for a counter without `_total`.
    pub name: String,
    /// `counter`, `gauge`, `histogram` and so on, or `unknown`.
    pub kind: String,
    /// The help, unescaped.
    pub help: String,
    /// The unit, or nothing.
    pub unit: String,
    /// Its samples, in the exposition's order.
    pub samples: Vec<Sample>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The full name, with any suffix.
    pub name: String,
    /// Its labels, unescaped.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// Seconds since the epoch, where the line says.
    pub timestamp: Option<f64>,
    /// Its exemplar, in OpenMetrics.
    pub exemplar: Option<Exemplar>,
}

/// An example of what a counter or a bucket counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// Seconds since the epoch, where the line says.
    pub timestamp: Option<f64>,
}

// === impl Exposition ===

impl Exposition {
    /// A family, by its name with or without `_total`.
    #[must_use]
    pub fn family(&self, name: &str) -> Option<&Family> {
        let base = name.strip_suffix("_total");
        let named = |family: &&Family| family.name == name || (family.kind == "counter" && Some(&*family.name) == base);
        self.families.iter().find(named)
    }

    /// All samples with this full name.
    pub fn samples(&self, name: &str) -> impl Iterator<Item = &Sample> {
        let samples = self.families.iter().flat_map(|family| &family.samples);
        samples.filter(move |sample| sample.name == name)
    }

    /// The value of the series with exactly these labels.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let exact = |sample: &&Sample| sample.labels.len() == labels.len() && sample.has(labels);
        self.samples(name).find(exact).map(|sample| sample.value)
    }

    /// The sum over the series that have these labels, and any others.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let matching = self.samples(name).filter(|sample| sample.has(labels));
        // An empty `f64` sum is -0.0.
        matching.fold(0.0, |sum, sample| sum + sample.value)
    }

    /// Checks every histogram: buckets sorted by `le` and cumulative, the last
    /// one `+Inf` and equal to `_count`, a `_sum`.
    ///
    /// # Errors
    ///
    /// The first histogram that is not so.
    pub fn check_histograms(&self) -> Result<(), String> {
        let histograms = self.families.iter().filter(|f| f.kind == "histogram");
        histograms.into_iter().try_for_each(histogram::check)
    }

    pub(crate) fn from_json(families: &Value) -> Result<Self, String> {
        let mut exposition = Self::default();
        let mut seen = BTreeSet::new();
        for family in list(families)? {
            let family = Family::from_json(family)?;
            for sample in &family.samples {
                if !seen.insert((sample.name.clone(), sample.labels.clone())) {
                    return Err(format!("a series is there twice: {sample:?}"));
                }
            }
            exposition.push(family)?;
        }
        Ok(exposition)
    }

    /// The text parser makes a family of each sample that has no metadata;
    /// those in a row are one.
    fn push(&mut self, family: Family) -> Result<(), String> {
        match self.families.last_mut() {
            Some(last) if last.is_bare() && family.is_bare() && last.name == family.name => {
                last.samples.extend(family.samples);
                return Ok(());
            }
            _ => {}
        }
        let same = |f: &Family| f.name == family.name && f.kind == family.kind;
        if self.families.iter().any(same) {
            return Err(format!("the family {} is not in one piece", family.name));
        }
        self.families.push(family);
        Ok(())
    }
}

// === impl Family ===

impl Family {
    fn is_bare(&self) -> bool {
        self.kind == "unknown" && self.help.is_empty()
    }

    fn from_json(json: &Value) -> Result<Self, String> {
        let samples = list(&json["samples"])?.iter();
        Ok(Self {
            name: text(&json["name"])?,
            kind: text(&json["kind"])?,
            help: text(&json["help"])?,
            unit: text(&json["unit"])?,
            samples: samples.map(Sample::from_json).collect::<Result<_, _>>()?,
        })
    }
}

// === impl Sample ===

impl Sample {
    /// Whether it has these labels, and any others.
    #[must_use]
    pub fn has(&self, labels: &[(&str, &str)]) -> bool {
        let mut labels = labels.iter();
        labels.all(|(name, value)| self.label(name) == Some(value))
    }

    /// A label's value.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    fn from_json(json: &Value) -> Result<Self, String> {
        let exemplar = Some(&json["exemplar"]).filter(|exemplar| !exemplar.is_null());
        Ok(Self {
            name: text(&json["name"])?,
            labels: labels(&json["labels"])?,
            value: number(&json["value"])?,
            timestamp: optional(&json["timestamp"])?,
            exemplar: exemplar.map(Exemplar::from_json).transpose()?,
        })
    }
}

// === impl Exemplar ===

impl Exemplar {
    fn from_json(json: &Value) -> Result<Self, String> {
        Ok(Self {
            labels: labels(&json["labels"])?,
            value: number(&json["value"])?,
            timestamp: optional(&json["timestamp"])?,
        })
    }
}

fn list(json: &Value) -> Result<&Vec<Value>, String> {
    json.as_array().ok_or_else(|| format!("not a list: {json}"))
}

fn text(json: &Value) -> Result<String, String> {
    let text = json.as_str().map(str::to_owned);
    text.ok_or_else(|| format!("not a text: {json}"))
}

fn number(json: &Value) -> Result<f64, String> {
    let number = json.as_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("not a number in text: {json}"))
}

fn optional(json: &Value) -> Result<Option<f64>, String> {
    let present = Some(json).filter(|json| !json.is_null());
    present.map(number).transpose()
}

pub(crate) fn labels(json: &Value) -> Result<Labels, String> {
    let pairs = json.as_object();
    let pairs = pairs.ok_or_else(|| format!("not an object: {json}"))?;
    let pair = |(name, value): (&String, &Value)| Ok((name.clone(), text(value)?));
    pairs.iter().map(pair).collect()
}

#[cfg(test)]
mod tests;
