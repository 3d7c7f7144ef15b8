//! metrics with metrics-exporter-prometheus.

use metrics::{Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::{
    Kind, Library, Work,
    library::{Format, Scraped},
    work::{BUCKETS, LABELS, METHODS, OBSERVATIONS, STATUSES, Series},
};

pub(super) const TEXT: Library = Library {
    name: "metrics-exporter-prometheus",
    package: "metrics-exporter-prometheus",
    format: Format::Text,
    build,
};

impl Scraped for PrometheusHandle {
    fn encode(&self, out: &mut dyn FnMut(&[u8])) {
        out(self.render().as_bytes());
    }
}

fn build(work: Work) -> Box<dyn Scraped> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .expect("there are buckets")
        .build_recorder();
    for series in work.series() {
        record(&recorder, work.kind, &series);
    }
    let handle = recorder.handle();
    // Observations lie in a list until then; its exporter does this every five seconds.
    handle.run_upkeep();
    Box::new(handle)
}

fn record(recorder: &PrometheusRecorder, kind: Kind, series: &Series) {
    let [method, route, status] = LABELS;
    let key = Key::from_parts(
        kind.family(),
        vec![
            Label::from_static_parts(method, METHODS[series.method()]),
            Label::new(route, series.route.clone()),
            Label::from_static_parts(status, STATUSES[series.status()]),
        ],
    );
    let metadata = Metadata::new(module_path!(), Level::INFO, None);
    match kind {
        Kind::Counters => recorder.register_counter(&key, &metadata).increment(series.count()),
        Kind::Histograms => {
            let duration = recorder.register_histogram(&key, &metadata);
            OBSERVATIONS.iter().for_each(|seconds| duration.record(*seconds));
        }
    }
}
