//! The series of one route.

use std::sync::OnceLock;

use tower_vitals_core::{Counter, Handle, Histogram, table::Table};

use super::{Records, as_strs};
use crate::{kind::Kind, vocabulary::Said};

/// More records than this a route does not keep ready; further ones are found by their labels.
const MOST_RECORDS: usize = 1024;

/// A route and its records.
#[derive(Debug)]
#[repr(align(16))] // which leaves room for flags in its address
pub(crate) struct Route {
    text: Box<str>,
    /// Its place among the routes of the Vitals.
    number: u32,
    /// The kinds that came first, which are nearly always all that come often: a few comparisons find them.
    first: [OnceLock<Record>; 4],
    others: Table<Record>,
}

/// The series into which requests of one kind are recorded.
#[derive(Debug)]
struct Record {
    kind: Kind,
    /// None where the durations count the requests.
    requests: Option<Handle<Counter>>,
    /// Made when the first duration comes: upgrades and streams have none.
    duration: OnceLock<Handle<Histogram>>,
}

impl Route {
    pub(crate) fn new(text: &str, number: usize) -> Self {
        Self {
            text: text.into(),
            number: u32::try_from(number).unwrap_or(u32::MAX),
            first: [const { OnceLock::new() }; 4],
            others: Table::new(),
        }
    }

    /// Records a request. `nanos` tells how long it took, if that belongs into the histogram.
    #[inline(always)]
    pub(crate) fn record(&self, records: &Records, kind: Kind, nanos: impl FnOnce() -> Option<u64>) {
        match self.first(kind) {
            Some(known) => known.record(records, self, nanos()),
            None => self.record_rarer(records, kind, nanos()),
        }
    }

    /// Records a request whose labels are not told by its route and kind alone.
    #[cold]
    pub(crate) fn record_said(records: &Records, said: &Said<'_>, nanos: Option<u64>) {
        let families = &records.families;
        if let Some((family, columns)) = &families.requests {
            family.with(&as_strs(&records.vocabulary.values(columns, said))).inc();
        }
        if let Some(nanos) = nanos {
            let (family, columns) = &families.durations;
            family
                .with(&as_strs(&records.vocabulary.values(columns, said)))
                .observe_nanos(nanos);
        }
    }

    #[cold]
    fn record_rarer(&self, records: &Records, kind: Kind, nanos: Option<u64>) {
        match self.others.get(kind.hash(), |record| record.kind == kind) {
            Some(known) => known.record(records, self, nanos),
            None => self.record_by_labels(records, kind, nanos),
        }
    }

    /// Records a request of a kind that the route has not seen, and keeps its series ready.
    #[cold]
    fn record_by_labels(&self, records: &Records, kind: Kind, nanos: Option<u64>) {
        let said = Said::of(kind, &self.text);
        Self::record_said(records, &said, nanos);
        // What a budget replaced is not kept ready, so that each replacement is counted.
        match &records.families.requests {
            Some((family, columns)) => {
                let values = records.vocabulary.values(columns, &said);
                if let Some(requests) = family.get(&as_strs(&values)) {
                    self.keep(kind, Some(&requests.hold()));
                }
            }
            None if records.families.has_duration(records, &said) => self.keep(kind, None),
            None => {}
        }
    }

    #[inline]
    fn first(&self, kind: Kind) -> Option<&Record> {
        self.first.iter().map_while(OnceLock::get).find(|record| record.kind == kind)
    }

    fn keep(&self, kind: Kind, requests: Option<&Handle<Counter>>) {
        let record = || Record {
            kind,
            requests: requests.cloned(),
            duration: OnceLock::new(),
        };
        // Two threads may come with the same kind. The place that one of them takes is the place of both.
        for place in &self.first {
            if place.get_or_init(record).kind == kind {
                return;
            }
        }
        self.others
            .get_or_insert(kind.hash(), |known| known.kind == kind, MOST_RECORDS, |_| record());
    }

    #[inline]
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    #[inline]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl Record {
    #[inline]
    fn record(&self, records: &Records, route: &Route, nanos: Option<u64>) {
        if let Some(requests) = &self.requests {
            requests.inc();
        }
        if let Some(nanos) = nanos {
            match self.duration.get() {
                Some(known) => known.observe_nanos(nanos),
                None => self.first_duration(records, route).observe_nanos(nanos),
            }
        }
    }

    #[cold]
    fn first_duration(&self, records: &Records, route: &Route) -> &Handle<Histogram> {
        self.duration.get_or_init(|| {
            let (family, columns) = &records.families.durations;
            let said = Said::of(self.kind, &route.text);
            family.with(&as_strs(&records.vocabulary.values(columns, &said))).hold()
        })
    }
}
