//! prometheus-client. Its text is OpenMetrics, its protobuf is Prometheus'; its users make either as a whole. As its text can be
//! written to anything, it is handed out in pieces as well, which are dropped as ours are.

use std::fmt::{self, Write};

use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_protobuf, text},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    Kind, Library, Work,
    library::{Format, Scraped},
    work::{BUCKETS, METHODS, OBSERVATIONS, STATUSES, Series},
};

pub(super) const TEXT: Library = Library {
    name: "prometheus-client text",
    package: "prometheus-client",
    format: Format::Text,
    build: |work| Box::new(Text(build(work))),
};

pub(super) const DROPPED: Library = Library {
    name: "prometheus-client text, dropped",
    package: "prometheus-client",
    format: Format::Text,
    build: |work| Box::new(Dropped(build(work))),
};

pub(super) const PROTOBUF: Library = Library {
    name: "prometheus-client protobuf",
    package: "prometheus-client",
    format: Format::Protobuf,
    build: |work| Box::new(Protobuf(build(work))),
};

struct Text(Registry);

struct Dropped(Registry);

struct Protobuf(Registry);

impl Scraped for Text {
    fn encode(&self, out: &mut dyn FnMut(&[u8])) {
        let mut body = String::new();
        text::encode(&mut body, &self.0).expect("a String takes all");
        out(body.as_bytes());
    }
}

impl Scraped for Dropped {
    fn encode(&self, out: &mut dyn FnMut(&[u8])) {
        let mut pieces = Pieces {
            piece: String::with_capacity(PIECE),
            out,
        };
        text::encode(&mut pieces, &self.0).expect("pieces take all");
        pieces.hand_out();
    }
}

impl Scraped for Protobuf {
    fn encode(&self, out: &mut dyn FnMut(&[u8])) {
        out(&prometheus_protobuf::encode_to_vec(&self.0).expect("the metrics have a protobuf form"));
    }
}

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

/// Takes text and hands it out piece by piece, all in one buffer.
struct Pieces<'a> {
    piece: String,
    out: &'a mut dyn FnMut(&[u8]),
}

impl Pieces<'_> {
    fn hand_out(&mut self) {
        (self.out)(self.piece.as_bytes());
        self.piece.clear();
    }
}

impl Write for Pieces<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.piece.len() + text.len() > PIECE {
            self.hand_out();
        }
        self.piece.push_str(text);
        Ok(())
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    route: String,
    status: &'static str,
}

impl Labels {
    fn of(series: &Series) -> Self {
        Self {
            method: METHODS[series.method()],
            route: series.route.clone(),
            status: STATUSES[series.status()],
        }
    }
}

fn build(work: Work) -> Registry {
    let mut registry = Registry::default();
    match work.kind {
        Kind::Counters => count(&mut registry, work),
        Kind::Histograms => observe(&mut registry, work),
    }
    registry
}

fn count(registry: &mut Registry, work: Work) {
    let requests = Family::<Labels, Counter>::default();
    registry.register("app_requests", "Requests", requests.clone());
    for series in work.series() {
        requests.get_or_create(&Labels::of(&series)).inc_by(series.count());
    }
}

fn observe(registry: &mut Registry, work: Work) {
    let durations = Family::<Labels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
    registry.register_with_unit("app_request_duration", "Time of a request", Unit::Seconds, durations.clone());
    for series in work.series() {
        let duration = durations.get_or_create(&Labels::of(&series));
        OBSERVATIONS.iter().for_each(|seconds| duration.observe(*seconds));
    }
}
