//! tower-vitals. It hands a scrape out in chunks, and the route makes the next one when the last was taken.

use tower_vitals::{Vitals, encode::Protocol};

use super::{
    Kind, Library, Work,
    library::{Format, Scraped},
    work::{BUCKETS, LABELS, OBSERVATIONS},
};

pub(super) const TEXT: Library = Library {
    name: "tower-vitals text",
    package: "tower-vitals",
    format: Format::Text,
    build: |work| build(work, Protocol::TEXT),
};

pub(super) const OPEN_METRICS: Library = Library {
    name: "tower-vitals OpenMetrics",
    package: "tower-vitals",
    format: Format::Text,
    build: |work| build(work, Protocol::OPEN_METRICS),
};

struct Ours {
    vitals: Vitals,
    protocol: Protocol,
}

impl Scraped for Ours {
    fn encode(&self, out: &mut dyn FnMut(&[u8])) {
        for chunk in self.vitals.encode(self.protocol) {
            out(&chunk);
        }
    }
}

fn build(work: Work, protocol: Protocol) -> Box<dyn Scraped> {
    let vitals = Vitals::new();
    match work.kind {
        Kind::Counters => count(&vitals, work),
        Kind::Histograms => observe(&vitals, work),
    }
    Box::new(Ours { vitals, protocol })
}

fn count(vitals: &Vitals, work: Work) {
    let requests = vitals
        .counter(work.kind.family(), "Requests")
        .budget("route", usize::MAX)
        .series_budget(usize::MAX)
        .labels(LABELS)
        .expect("the name is free");
    for series in work.series() {
        requests.with(series.values()).inc_by(series.count());
    }
}

fn observe(vitals: &Vitals, work: Work) {
    let durations = vitals
        .histogram(work.kind.family(), "Time of a request")
        .buckets(BUCKETS)
        .budget("route", usize::MAX)
        .series_budget(usize::MAX)
        .labels(LABELS)
        .expect("the name is free");
    for series in work.series() {
        let duration = durations.with(series.values());
        OBSERVATIONS.iter().for_each(|seconds| duration.observe(*seconds));
    }
}
