//! What the rivals on OpenTelemetry record through. Each needs its own version of the SDK, so this is text and not a function.

/// Defines `PROVIDER`, a provider of meters that aggregates as one with a Prometheus reader does, and `recorded`, which reads what it
/// has. It is read by nobody else, and no thread of its own runs beside what is measured.
macro_rules! provider {
    ($sdk:ident) => {
        static READER: std::sync::LazyLock<Reader> = std::sync::LazyLock::new(Reader::default);

        static PROVIDER: std::sync::LazyLock<$sdk::metrics::SdkMeterProvider> = std::sync::LazyLock::new(|| {
            $sdk::metrics::SdkMeterProvider::builder()
                .with_reader(READER.clone())
                .build()
        });

        /// A reader that is read when it is asked, shared with the provider.
        #[derive(Clone, Debug, Default)]
        struct Reader(std::sync::Arc<$sdk::metrics::ManualReader>);

        impl $sdk::metrics::reader::MetricReader for Reader {
            fn register_pipeline(&self, pipeline: std::sync::Weak<$sdk::metrics::Pipeline>) {
                self.0.register_pipeline(pipeline);
            }

            fn collect(&self, metrics: &mut $sdk::metrics::data::ResourceMetrics) -> $sdk::error::OTelSdkResult {
                self.0.collect(metrics)
            }

            fn force_flush(&self) -> $sdk::error::OTelSdkResult {
                self.0.force_flush()
            }

            fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> $sdk::error::OTelSdkResult {
                self.0.shutdown_with_timeout(timeout)
            }

            fn temporality(&self, kind: $sdk::metrics::InstrumentKind) -> $sdk::metrics::Temporality {
                self.0.temporality(kind)
            }
        }

        /// How many durations of requests have been recorded.
        #[cfg(test)]
        fn recorded() -> u64 {
            use $sdk::metrics::{
                data::{AggregatedMetrics, MetricData},
                reader::MetricReader,
            };
            let mut found = Default::default();
            READER.collect(&mut found).unwrap();
            found
                .scope_metrics()
                .flat_map($sdk::metrics::data::ScopeMetrics::metrics)
                .filter(|metric| metric.name() == "http.server.request.duration")
                .map(|metric| match metric.data() {
                    AggregatedMetrics::F64(MetricData::Histogram(durations)) => {
                        durations.data_points().map(|point| point.count()).sum::<u64>()
                    }
                    other => panic!("a histogram, not {other:?}"),
                })
                .sum()
        }
    };
}

pub(super) use provider;
