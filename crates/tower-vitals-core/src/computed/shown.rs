use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use super::{
    Computed,
    histogram::Fitted,
    samples::{Pushed, Sink, Value},
};
use crate::{
    Descriptor, Kind,
    encode::{CounterPoint, HistogramPoint, Number, Point, Visitor},
    family::AnyFamily,
    labels::{Labels, SeriesLabels, label_value},
    scrape::Scrape,
    self_metrics::Panics,
};

/// A computed family with the rows of one scrape, or with none, as the registry keeps it.
pub(super) struct Shown<R> {
    family: Arc<Computed<R>>,
    rows: Arc<Vec<R>>,
    panics: Panics,
    /// How many points the rows have; 0 when counting them panicked, so that the family is left out.
    len: OnceLock<usize>,
}

/// A point of a row.
struct Sample {
    labels: SeriesLabels,
    value: Held,
    start: SystemTime,
}

/// What a point shows, held until a visitor sees it.
enum Held {
    Single(Number),
    Histogram(Fitted),
}

// === impl Shown ===

impl<R> Shown<R> {
    pub(super) fn new(family: &Arc<Computed<R>>, rows: &Arc<Vec<R>>, panics: &Panics) -> Self {
        Self {
            family: Arc::clone(family),
            rows: Arc::clone(rows),
            panics: panics.clone(),
            len: OnceLock::new(),
        }
    }

    /// Gives the points of some rows, unless that panics, which is counted.
    fn show(&self, rows: &[R], sink: &mut Sink<'_>) -> bool {
        let show = || rows.iter().for_each(|row| self.family.show(row, &mut *sink));
        let shown = catch_unwind(AssertUnwindSafe(show)).is_ok();
        if !shown {
            self.panics.count();
        }
        shown
    }

    fn count(&self) -> usize {
        let mut points = 0;
        if self.show(&self.rows, &mut |_| points += 1) {
            points
        } else {
            0
        }
    }

    /// The points of a row. They are gathered before a visitor sees any, so that a panic leaves nothing half done.
    fn gather(&self, row: &R, samples: &mut Vec<Sample>) -> bool {
        samples.clear();
        let Computed {
            constant,
            descriptor,
            start: declared,
            ..
        } = &*self.family;
        self.show(std::slice::from_ref(row), &mut |Pushed { labels, value, start }| {
            let values: Vec<_> = labels.iter().map(|value| label_value(value)).collect();
            samples.push(Sample {
                labels: SeriesLabels::new(constant, descriptor.labels(), &values),
                value: Held::new(value),
                start: start.unwrap_or(*declared),
            });
        })
    }

    fn point(&self, sample: &Sample, visitor: &mut dyn Visitor) {
        let Computed {
            constant, descriptor, ..
        } = &*self.family;
        let labels = Labels::new(constant, descriptor.labels(), &sample.labels);
        visitor.point(&labels, &sample.point(descriptor.kind()));
    }
}

impl<R: Send + Sync + 'static> AnyFamily for Shown<R> {
    fn descriptor(&self) -> &Descriptor {
        &self.family.descriptor
    }

    fn len(&self) -> usize {
        *self.len.get_or_init(|| self.count())
    }

    fn visit(&self, from: usize, _: &Scrape, visitor: &mut dyn Visitor) -> Option<usize> {
        let mut samples = Vec::new();
        for (number, row) in self.rows.iter().enumerate().skip(from) {
            if !self.gather(row, &mut samples) {
                return None;
            }
            for sample in &samples {
                self.point(sample, visitor);
            }
            if visitor.is_full() {
                return (number + 1 < self.rows.len()).then_some(number + 1);
            }
        }
        None
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn shape(&self) -> String {
        format!("computed {}", self.family.descriptor)
    }
}

// === impl Sample ===

impl Sample {
    fn point(&self, kind: Kind) -> Point<'_> {
        let start = self.start;
        match &self.value {
            Held::Single(value) if kind == Kind::Counter => Point::Counter(CounterPoint {
                value: *value,
                start,
                exemplar: None,
            }),
            Held::Single(value) => Point::Gauge(*value),
            Held::Histogram(Fitted { bounds, counts, sum }) => Point::Histogram(HistogramPoint {
                bounds,
                counts,
                sum: *sum,
                start,
                exemplars: &[],
                native: None,
            }),
        }
    }
}

// === impl Held ===

impl Held {
    fn new(value: Value<'_>) -> Self {
        match value {
            Value::Single(value) => Self::Single(value),
            Value::Histogram { bounds, counts, sum } => Self::Histogram(Fitted::new(bounds, counts, sum)),
        }
    }
}
