//! Scrapes, read and checked one after the other.

use std::collections::BTreeMap;

use tests::{exposition::Exposition, parser::Parser};
use tower_vitals::encode::Protocol;

use crate::families::{Samples, samples};

/// Scrapes of one Vitals, of which each must hold what all do and must not fall behind the one before.
pub(crate) struct Scrapes<'a> {
    parser: &'a Parser,
    last: Samples,
}

impl<'a> Scrapes<'a> {
    pub(crate) fn new(parser: &'a Parser) -> Self {
        let last = Samples::new();
        Self { parser, last }
    }

    pub(crate) fn read(&mut self, protocol: Protocol, text: &str) -> Result<Exposition, String> {
        let read = match protocol.is_open_metrics() {
            true => self.parser.openmetrics(text),
            false => self.parser.text(text),
        };
        let exposition = read.map_err(|error| format!("{protocol}: {error}:\n{text}"))?;
        exposition.check_histograms()?;
        let counted = |kind: &str| kind == "counter" || kind == "histogram";
        let mut now = samples(&exposition);
        let kinds: BTreeMap<&str, &str> = exposition.families.iter().map(|f| (&*f.name, &*f.kind)).collect();
        now.retain(|(name, _), _| {
            let suffixes = ["", "_total", "_bucket", "_count", "_sum"];
            let mut families = suffixes.iter().filter_map(|suffix| name.strip_suffix(suffix));
            families.any(|family| kinds.get(family).copied().is_some_and(counted))
        });
        for (series, before) in &self.last {
            match now.get(series) {
                Some(value) if value >= before => {}
                value => return Err(format!("{series:?} fell from {before} to {value:?}")),
            }
        }
        self.last = now;
        Ok(exposition)
    }
}
