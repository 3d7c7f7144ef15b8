//! prometheus of the project `TiKV`. It gathers all series into a tree and writes that as text.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

use super::{
    Kind, Library, Work,
    library::{Format, Scraped},
    work::{BUCKETS, LABELS, OBSERVATIONS},
};

pub(super) const TEXT: Library = Library {
    name: "prometheus text",
    package: "prometheus",
    format: Format::Text,
    build,
};

impl Scraped for Registry {
    fn encode(&self, out: &mut dyn FnMut(&[u8])) {
        let mut body = String::new();
        TextEncoder::new()
            .encode_utf8(&self.gather(), &mut body)
            .expect("a String takes all");
        out(body.as_bytes());
    }
}

fn build(work: Work) -> Box<dyn Scraped> {
    let registry = Registry::new();
    let registered = match work.kind {
        Kind::Counters => count(&registry, work),
        Kind::Histograms => observe(&registry, work),
    };
    registered.expect("the names are free");
    Box::new(registry)
}

fn count(registry: &Registry, work: Work) -> prometheus::Result<()> {
    let requests = IntCounterVec::new(Opts::new(work.kind.family(), "Requests"), &LABELS)?;
    registry.register(Box::new(requests.clone()))?;
    for series in work.series() {
        requests.with_label_values(&series.values()).inc_by(series.count());
    }
    Ok(())
}

fn observe(registry: &Registry, work: Work) -> prometheus::Result<()> {
    let options = HistogramOpts::new(work.kind.family(), "Time of a request").buckets(BUCKETS.to_vec());
    let durations = HistogramVec::new(options, &LABELS)?;
    registry.register(Box::new(durations.clone()))?;
    for series in work.series() {
        let duration = durations.with_label_values(&series.values());
        OBSERVATIONS.iter().for_each(|seconds| duration.observe(*seconds));
    }
    Ok(())
}
