//! What every histogram must hold.

use std::collections::BTreeMap;

use super::{Family, Labels, Sample};

/// The series of one histogram: the same labels, `le` aside.
#[derive(Debug, Default)]
struct Histogram {
    /// Bound and count, in the exposition's order.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: Option<f64>,
}

pub(super) fn check(family: &Family) -> Result<(), String> {
    let mut histograms: BTreeMap<Labels, Histogram> = BTreeMap::new();
    for sample in &family.samples {
        let mut labels = sample.labels.clone();
        labels.remove("le");
        let suffix = sample.name.strip_prefix(&family.name);
        let histogram = histograms.entry(labels).or_default();
        histogram.add(suffix.unwrap_or_default(), sample)?;
    }
    histograms.iter().try_for_each(|(labels, histogram)| {
        let fault = histogram.check();
        fault.map_err(|fault| format!("{}{labels:?}: {fault}: {histogram:?}", family.name))
    })
}

impl Histogram {
    fn add(&mut self, suffix: &str, sample: &Sample) -> Result<(), String> {
        match suffix {
            "_bucket" => {
                let le = sample.label("le").and_then(|le| le.parse().ok());
                let le = le.ok_or_else(|| format!("`le` is no number: {sample:?}"))?;
                self.buckets.push((le, sample.value));
            }
            "_count" => self.count = Some(sample.value),
            "_sum" => self.sum = Some(sample.value),
            _ => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<(), &'static str> {
        let pairs = || self.buckets.windows(2);
        let (le, total) = *self.buckets.last().ok_or("there are no buckets")?;
        let rules = [
            (pairs().all(|two| two[0].0 < two[1].0), "`le` is not sorted"),
            (pairs().all(|two| two[0].1 <= two[1].1), "buckets are not cumulative"),
            (le == f64::INFINITY, "the last bucket is not +Inf"),
            (self.count == Some(total), "`_count` is not the +Inf bucket"),
            (self.sum.is_some(), "there is no `_sum`"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, fault)) => Err(fault),
            None => Ok(()),
        }
    }
}
