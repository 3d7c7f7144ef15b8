//! One family of an attached registry.

use std::collections::HashSet;

use tower_vitals_core::encode::{Protocol, escape_help};

use super::{kind::Kind, names, sample::Sample};

/// A family with everything that was written for it, in one place or in several.
#[derive(Debug, PartialEq)]
pub(super) struct Family<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    /// Raw, so it may have several lines.
    pub(super) help: &'a str,
    pub(super) unit: Option<&'a str>,
    /// Whole lines.
    pub(super) samples: Vec<&'a str>,
}

/// Prometheus would refuse the family, and the scrape with it.
#[derive(Debug, PartialEq)]
pub(super) struct Invalid;

impl Family<'_> {
    /// Every name that samples of this family, and the family itself, may have.
    pub(super) fn sample_names(&self) -> impl Iterator<Item = String> {
        self.kind.suffixes().iter().map(|suffix| format!("{}{suffix}", self.name))
    }

    /// Whether there is nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        self.samples.iter().all(|lines| lines.is_empty())
    }

    /// Appends the family as text, and says whether it left out series that were there already. What was appended before an error has to
    /// be thrown away.
    pub(super) fn write(&self, protocol: Protocol, out: &mut String) -> Result<bool, Invalid> {
        if !names::is_metric(self.name) {
            return Err(Invalid);
        }
        self.introduce(protocol.is_open_metrics(), out);
        // A family can repeat itself: registered several times, or with the labels of its keys in another order.
        let mut known = HashSet::new();
        let mut repeated = false;
        for line in self.samples.iter().flat_map(|lines| lines.split_terminator('\n')) {
            let sample = Sample::parse(line).filter(|sample| self.owns(sample)).ok_or(Invalid)?;
            if !known.insert(series(&sample)) {
                repeated = true;
                continue;
            }
            sample.write(out);
            if let (true, Some(exemplar)) = (protocol.is_open_metrics(), &sample.exemplar) {
                exemplar.write(out);
            }
            out.push('\n');
        }
        Ok(repeated)
    }

    fn introduce(&self, open_metrics: bool, out: &mut String) {
        let (suffix, word) = if open_metrics {
            ("", self.kind.word())
        } else {
            (self.kind.text_suffix(), self.kind.text_word())
        };
        if !self.help.is_empty() {
            for part in ["# HELP ", self.name, suffix, " "] {
                out.push_str(part);
            }
            escape_help(out, self.help, open_metrics);
            out.push('\n');
        }
        for part in ["# TYPE ", self.name, suffix, " ", word, "\n"] {
            out.push_str(part);
        }
        if let (true, Some(unit)) = (open_metrics, self.unit()) {
            for part in ["# UNIT ", self.name, " ", unit, "\n"] {
                out.push_str(part);
            }
        }
    }

    /// The unit, if it ends the name: Prometheus refuses another.
    fn unit(&self) -> Option<&str> {
        let ends_name = |unit: &&str| self.name.strip_suffix(*unit).is_some_and(|rest| rest.ends_with('_'));
        self.unit.filter(|unit| !unit.is_empty()).filter(ends_name)
    }

    fn owns(&self, sample: &Sample<'_>) -> bool {
        let suffix = sample.name.strip_prefix(self.name);
        suffix.is_some_and(|suffix| self.kind.suffixes().contains(&suffix))
    }
}

/// What tells a series from all others.
fn series<'a>(sample: &Sample<'a>) -> (&'a str, Vec<(&'a str, &'a str)>) {
    let mut labels = sample.labels.clone();
    labels.sort_unstable();
    (sample.name, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: Kind, samples: &[&str]) -> Result<String, Invalid> {
        let family = Family {
            name: "a",
            kind,
            help: "h",
            unit: None,
            samples: samples.to_vec(),
        };
        let mut out = String::new();
        family.write(Protocol::TEXT, &mut out)?;
        Ok(out)
    }

    #[test]
    fn every_type_has_a_place_in_text() {
        for (kind, samples, name, word) in [
            (Kind::Counter, "a_total 1\n", "a_total", "counter"),
            (Kind::Gauge, "a 1\n", "a", "gauge"),
            (Kind::GaugeHistogram, "a_gsum 1\n", "a", "untyped"),
            (Kind::Histogram, "a_sum 1\n", "a", "histogram"),
            (Kind::Info, "a_info 1\n", "a_info", "gauge"),
            (Kind::StateSet, "a{a=\"on\"} 1\n", "a", "gauge"),
            (Kind::Summary, "a{quantile=\"0.5\"} 1\n", "a", "summary"),
            (Kind::Unknown, "a_total 1\n", "a", "untyped"),
        ] {
            let expected = format!("# HELP {name} h\n# TYPE {name} {word}\n{samples}");
            assert_eq!(text(kind, &[samples]), Ok(expected));
        }
    }

    #[test]
    fn samples_of_another_name_do_not_belong_here() {
        assert_eq!(text(Kind::Gauge, &["a_total 1\n"]), Err(Invalid));
        assert_eq!(text(Kind::Gauge, &["b 1\n"]), Err(Invalid));
    }
}
