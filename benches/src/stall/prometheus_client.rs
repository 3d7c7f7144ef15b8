use std::{cell::RefCell, fmt};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::{
    stopped::Pause,
    subject::{Counters, Scraped, values},
};

type Labels = [(&'static str, String); 2];

/// A family of counters with two labels.
pub(super) struct PrometheusClient {
    registry: Registry,
    family: Family<Labels, Counter>,
}

thread_local! {
    /// Where this thread stops when it makes a series.
    static PAUSE: RefCell<Option<Pause>> = const { RefCell::new(None) };
}

/// Text that stops at the first label of a sample.
struct StopAtSample(Option<Pause>);

impl PrometheusClient {
    pub(super) fn stop_scraping(&self, pause: Pause) {
        // The text itself is of no use.
        let _ = text::encode(&mut StopAtSample(Some(pause)), &self.registry);
    }

    pub(super) fn stop_recording(&self, pause: Pause) {
        let series = self.family.get_or_create(&Self::key(0));
        pause.here();
        series.inc();
    }

    pub(super) fn stop_inserting(&self, pause: Pause) {
        PAUSE.set(Some(pause));
        self.record(&Self::key(usize::MAX));
    }

    fn new_series() -> Counter {
        if let Some(pause) = PAUSE.take() {
            pause.here();
        }
        Counter::default()
    }
}

impl Counters for PrometheusClient {
    /// Made beforehand, which spares it what a handler spends on them for each recording.
    type Key = Labels;

    fn empty() -> Self {
        let family = Family::<Labels, Counter>::new_with_constructor(Self::new_series);
        let mut registry = Registry::default();
        registry.register("jobs", "Jobs run", family.clone());
        Self { registry, family }
    }

    fn key(number: usize) -> Labels {
        let [queue, outcome] = values(number);
        [("queue", queue), ("outcome", outcome)]
    }

    fn record(&self, key: &Labels) {
        self.family.get_or_create(key).inc();
    }
}

impl Scraped for PrometheusClient {
    /// In one piece, as it is used: text that waited for its reader would lock the family all the while.
    fn scrape(&self, show: &mut dyn FnMut(&[u8])) {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("a string takes everything");
        show(text.as_bytes());
    }
}

impl fmt::Write for StopAtSample {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.contains("queue") {
            if let Some(pause) = self.0.take() {
                pause.here();
            }
        }
        Ok(())
    }
}
