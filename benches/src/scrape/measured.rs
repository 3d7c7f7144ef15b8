//! measured, with enums for the labels that have few values and an interner for the route.

use measured::{
    CounterVec, FixedCardinalityLabel, HistogramVec, LabelGroup, MetricGroup, label::StaticLabelSet, lasso::ThreadedRodeo,
    metric::histogram::Thresholds, text::BufferedTextEncoder,
};

use super::{
    Kind, Library, Work,
    library::{Format, Scraped},
    work::{BUCKETS, METHODS, OBSERVATIONS, STATUSES, Series},
};

pub(super) const TEXT: Library = Library {
    name: "measured",
    package: "measured",
    format: Format::Text,
    build,
};

#[derive(Clone, Copy, Debug, PartialEq, FixedCardinalityLabel)]
#[label(rename_all = "SHOUTY_SNAKE_CASE")]
enum Method {
    Get,
    Put,
    Post,
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, FixedCardinalityLabel)]
enum Status {
    Ok = 200,
    NoContent = 204,
    NotModified = 304,
    NotFound = 404,
    Failed = 500,
}

#[derive(Clone, Copy, Debug, PartialEq, LabelGroup)]
#[label(set = LabelSet)]
struct Labels<'a> {
    method: Method,
    #[label(dynamic_with = ThreadedRodeo)]
    route: &'a str,
    status: Status,
}

#[derive(MetricGroup)]
struct Counters {
    /// Requests
    app_requests_total: CounterVec<LabelSet>,
}

#[derive(MetricGroup)]
struct Histograms {
    /// Time of a request
    app_request_duration_seconds: HistogramVec<LabelSet, { BUCKETS.len() }>,
}

impl Scraped for Counters {
    fn encode(&self, out: &mut dyn FnMut(&[u8])) {
        let mut encoder = BufferedTextEncoder::new();
        let Ok(()) = self.collect_group_into(&mut encoder);
        out(&encoder.finish());
    }
}

impl Scraped for Histograms {
    fn encode(&self, out: &mut dyn FnMut(&[u8])) {
        let mut encoder = BufferedTextEncoder::new();
        let Ok(()) = self.collect_group_into(&mut encoder);
        out(&encoder.finish());
    }
}

impl<'a> Labels<'a> {
    fn of(series: &'a Series) -> Self {
        const BY_NUMBER: ([Method; METHODS.len()], [Status; STATUSES.len()]) = (
            [Method::Get, Method::Put, Method::Post, Method::Delete],
            [
                Status::Ok,
                Status::NoContent,
                Status::NotModified,
                Status::NotFound,
                Status::Failed,
            ],
        );
        Self {
            method: BY_NUMBER.0[series.method()],
            route: &series.route,
            status: BY_NUMBER.1[series.status()],
        }
    }
}

fn build(work: Work) -> Box<dyn Scraped> {
    let labels = LabelSet {
        method: StaticLabelSet::new(),
        route: ThreadedRodeo::new(),
        status: StaticLabelSet::new(),
    };
    match work.kind {
        Kind::Counters => Box::new(count(labels, work)),
        Kind::Histograms => Box::new(observe(labels, work)),
    }
}

fn count(labels: LabelSet, work: Work) -> Counters {
    let requests = CounterVec::with_label_set(labels);
    for series in work.series() {
        requests.inc_by(Labels::of(&series), series.count());
    }
    Counters {
        app_requests_total: requests,
    }
}

fn observe(labels: LabelSet, work: Work) -> Histograms {
    let durations = HistogramVec::with_label_set_and_metadata(labels, Thresholds::with_buckets(BUCKETS));
    for series in work.series() {
        OBSERVATIONS
            .iter()
            .for_each(|seconds| durations.observe(Labels::of(&series), *seconds));
    }
    Histograms {
        app_request_duration_seconds: durations,
    }
}
