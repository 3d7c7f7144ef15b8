//! Our families through prometheus-client's encoder.

use std::{fmt, sync::atomic::AtomicU64, time::SystemTime};

use prometheus_client::{
    encoding::{DescriptorEncoder, MetricEncoder},
    metrics::{MetricType, exemplar::CounterWithExemplar},
    registry,
};
use tower_vitals_core::{
    Descriptor, Kind, Labels, Unit,
    encode::{CounterPoint, Exemplar, HistogramPoint, Number, Point, Visitor, escape_help},
};

/// Encodes a family once it is complete: prometheus-client lets a family's encoder live no longer than the call that began it.
pub(super) struct FamilyEncoder<'a> {
    encoder: DescriptorEncoder<'a>,
    family: Option<Descriptor>,
    series: Vec<Series>,
    /// The first error ends all.
    result: fmt::Result,
}

struct Series {
    labels: Pairs,
    value: Value,
}

enum Value {
    Counter(Number, Option<HeldExemplar>),
    Gauge(Number),
    Histogram(f64, Vec<(f64, u64)>),
}

type Pairs = Vec<(String, String)>;

/// Only a metric of prometheus-client can make one of its exemplars.
type HeldExemplar = CounterWithExemplar<Pairs, f64, AtomicU64>;

// === impl FamilyEncoder ===

impl<'a> FamilyEncoder<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self {
            encoder,
            family: None,
            series: Vec::new(),
            result: Ok(()),
        }
    }

    /// Encodes what is left.
    pub(super) fn finish(mut self) -> fmt::Result {
        self.flush();
        self.result
    }

    fn flush(&mut self) {
        if let (Ok(()), Some(family)) = (self.result, self.family.take()) {
            self.result = self.encode(&family);
        }
        self.series.clear();
    }

    fn encode(&mut self, family: &Descriptor) -> fmt::Result {
        let (name, unit) = name_and_unit(family);
        let mut help = String::new();
        escape_help(&mut help, family.help(), true);
        let kind = metric_type(family.kind());
        let mut encoder = self.encoder.encode_descriptor(name, &help, unit.as_ref(), kind)?;
        for series in &self.series {
            if series.labels.is_empty() {
                // Empty braces would be the same, and look odd.
                series.value.encode(&mut encoder)?;
            } else {
                series.value.encode(&mut encoder.encode_family(&series.labels)?)?;
            }
        }
        Ok(())
    }
}

impl Visitor for FamilyEncoder<'_> {
    fn family(&mut self, descriptor: &Descriptor) {
        self.flush();
        self.family = Some(descriptor.clone());
    }

    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>) {
        if self.result.is_err() {
            return;
        }
        match Value::new(point) {
            Some(value) => self.series.push(Series {
                labels: pairs(labels.pairs()),
                value,
            }),
            None => self.result = Err(fmt::Error),
        }
    }
}

// === impl Value ===

impl Value {
    /// Copies a point; none if it is of a type that came after this was written.
    fn new(point: &Point<'_>) -> Option<Self> {
        Some(match point {
            Point::Counter(CounterPoint { value, exemplar, .. }) => Self::Counter(*value, exemplar.as_ref().map(hold)),
            Point::Gauge(value) => Self::Gauge(*value),
            Point::Histogram(HistogramPoint { bounds, counts, sum, .. }) => {
                let bounds = bounds.values().iter().copied().chain([f64::INFINITY]);
                Self::Histogram(sum.as_f64(), bounds.zip(counts.iter().copied()).collect())
            }
            _ => return None,
        })
    }

    fn encode(&self, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Counter(value, exemplar) => {
                let held = exemplar.as_ref().map(CounterWithExemplar::get);
                let exemplar = held.as_ref().and_then(|(_, exemplar)| exemplar.as_ref());
                match value {
                    Number::Unsigned(value) => encoder.encode_counter(value, exemplar),
                    other => encoder.encode_counter(&other.as_f64(), exemplar),
                }
            }
            Self::Gauge(Number::Signed(value)) => encoder.encode_gauge(value),
            Self::Gauge(value) => match whole(*value) {
                Some(value) => encoder.encode_gauge(&value),
                None => encoder.encode_gauge(&value.as_f64()),
            },
            Self::Histogram(sum, buckets) => {
                let count = buckets.iter().map(|(_, count)| count).sum();
                encoder.encode_histogram::<Pairs>(*sum, count, buckets, None)
            }
        }
    }
}

/// The value as the widest whole number that all of prometheus-client's formats take in a gauge.
fn whole(value: Number) -> Option<i64> {
    match value {
        Number::Unsigned(value) => value.try_into().ok(),
        Number::Signed(value) => Some(value),
        _ => None,
    }
}

fn hold(exemplar: &Exemplar<'_>) -> HeldExemplar {
    // prometheus-client panics on times before 1970.
    let time = exemplar.time.filter(|time| *time >= SystemTime::UNIX_EPOCH);
    let held = HeldExemplar::default();
    held.inc_by(exemplar.value, Some(pairs(exemplar.labels.iter().copied())), time);
    held
}

fn pairs<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> Pairs {
    labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// prometheus-client appends the unit itself.
fn name_and_unit(family: &Descriptor) -> (&str, Option<registry::Unit>) {
    let name = family.name();
    let unit = family.unit().map(Unit::as_str);
    let stripped = unit.and_then(|unit| Some((name.strip_suffix(unit)?.strip_suffix('_')?, unit)));
    stripped.map_or((name, None), |(name, unit)| {
        (name, Some(registry::Unit::Other(unit.to_owned())))
    })
}

fn metric_type(kind: Kind) -> MetricType {
    match kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
        _ => MetricType::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::{collector::Collector, encoding::text::encode_registry, registry::Registry};

    use super::*;

    /// Encodes one value through prometheus-client.
    #[derive(Debug)]
    struct One(fn() -> Value);

    impl Collector for One {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            let value = (self.0)();
            let mut encoder = encoder.encode_descriptor("a", "h", None, MetricType::Unknown)?;
            value.encode(&mut encoder)
        }
    }

    fn text(value: fn() -> Value) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(One(value)));
        let mut text = String::new();
        encode_registry(&mut text, &registry).unwrap();
        text.lines().skip(2).collect::<Vec<_>>().join("\n")
    }

    fn exemplar(time: Option<SystemTime>) -> HeldExemplar {
        hold(&Exemplar {
            labels: &[("trace_id", "a\"b")],
            value: 0.5,
            time,
        })
    }

    #[test]
    fn exemplars_of_counters_pass() {
        let counter = || {
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
            Value::Counter(Number::Unsigned(3), Some(exemplar(Some(time))))
        };
        assert_eq!(text(counter), r#"a_total 3 # {trace_id="a\"b"} 0.5 1.5"#);
        let early = || {
            let time = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
            Value::Counter(Number::Float(0.25), Some(exemplar(Some(time))))
        };
        assert_eq!(text(early), r#"a_total 0.25 # {trace_id="a\"b"} 0.5"#);
    }

    #[test]
    fn numbers_keep_their_type() {
        assert_eq!(text(|| Value::Gauge(Number::Unsigned(u64::MAX))), "a 18446744073709553000.0");
        assert_eq!(text(|| Value::Gauge(Number::Unsigned(7))), "a 7");
        assert_eq!(text(|| Value::Gauge(Number::Signed(-7))), "a -7");
        assert_eq!(text(|| Value::Gauge(Number::Nanos(1_500_000_000))), "a 1.5");
        assert_eq!(
            text(|| Value::Counter(Number::Unsigned(u64::MAX), None)),
            "a_total 18446744073709551615"
        );
    }

    #[test]
    fn buckets_are_cumulated_once() {
        let histogram = || Value::Histogram(2.5, vec![(1.0, 2), (f64::INFINITY, 1)]);
        assert_eq!(
            text(histogram),
            "a_sum 2.5\na_count 3\na_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 3"
        );
    }
}
