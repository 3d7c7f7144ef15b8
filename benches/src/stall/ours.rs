use std::sync::atomic::{AtomicU64, Ordering};

use tower_vitals::{
    CounterFamily, Descriptor, Labels, Vitals,
    encode::{Point, Protocol, Visitor},
    table::Table,
};

use super::{
    stopped::Pause,
    subject::{Counters, Scraped, values},
};

/// A family of counters with two labels.
pub(super) struct Ours {
    vitals: Vitals,
    pub(super) family: CounterFamily<2>,
}

/// The table in which every family keeps its series, with as little as possible around it: no public function of a family calls
/// anything of its caller's while it makes a series, so only here can a caller stop in the middle of that.
pub(super) struct OurTable {
    table: Table<(u64, AtomicU64)>,
}

/// Stops at the first sample of a family that it is shown.
struct StopAtSample(Option<Pause>);

// === impl Ours ===

impl Ours {
    pub(super) fn stop_scraping(&self, pause: Pause) {
        self.vitals.visit(&mut StopAtSample(Some(pause)));
    }

    pub(super) fn stop_recording(&self, pause: Pause) {
        let [queue, outcome] = Self::key(0);
        let series = self.family.with([&queue, &outcome]);
        pause.here();
        series.inc();
    }
}

impl Counters for Ours {
    type Key = [String; 2];

    fn empty() -> Self {
        let vitals = Vitals::new();
        let family = vitals
            .counter("jobs", "Jobs run")
            .budget("queue", usize::MAX)
            .series_budget(usize::MAX)
            .labels(["queue", "outcome"])
            .expect("the declaration is valid");
        Self { vitals, family }
    }

    fn key(number: usize) -> [String; 2] {
        values(number)
    }

    fn record(&self, [queue, outcome]: &[String; 2]) {
        self.family.with([queue, outcome]).inc();
    }
}

impl Scraped for Ours {
    fn scrape(&self, show: &mut dyn FnMut(&[u8])) {
        for chunk in self.vitals.encode(Protocol::TEXT) {
            show(&chunk);
        }
    }
}

// === impl OurTable ===

impl OurTable {
    pub(super) fn stop_inserting(&self, pause: Pause) {
        let number = u64::MAX;
        let insert = |_| {
            pause.here();
            (number, AtomicU64::new(0))
        };
        self.table
            .get_or_insert(number, |known| known.0 == number, usize::MAX, insert);
    }
}

impl Counters for OurTable {
    /// The hash that a family makes of the labels.
    type Key = u64;

    fn empty() -> Self {
        Self { table: Table::new() }
    }

    fn key(number: usize) -> u64 {
        // The upper half is what is looked up first.
        (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn record(&self, key: &u64) {
        let entry = self
            .table
            .get_or_insert(*key, |known| known.0 == *key, usize::MAX, |_| (*key, AtomicU64::new(0)));
        if let Some(entry) = entry {
            entry.1.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// === impl StopAtSample ===

impl Visitor for StopAtSample {
    fn family(&mut self, _: &Descriptor) {}

    fn point(&mut self, _: &Labels<'_>, _: &Point<'_>) {
        if let Some(pause) = self.0.take() {
            pause.here();
        }
    }
}
