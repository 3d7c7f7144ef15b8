//! The two text formats. They differ in how a family is introduced, in exemplars and in the last line.

use super::{CounterPoint, Exemplar, HistogramPoint, Number, Point, Protocol, Visitor, number};
use crate::{Descriptor, Labels, labels};

/// Chunks are handed out once they reach this size.
pub(super) const CHUNK: usize = 64 * 1024;

/// Room behind a full chunk for the point that filled it, so that the buffer need not grow for it.
const MARGIN: usize = 8 * 1024;

/// Writes families as Prometheus text or OpenMetrics.
#[derive(Debug)]
pub(super) struct TextWriter {
    open_metrics: bool,
    /// The name under which the samples of the present family stand.
    name: String,
    /// What all bucket lines of a histogram begin with, made once for them.
    bucket: String,
    out: String,
    /// How much to make room for when a chunk begins.
    room: usize,
}

impl TextWriter {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self {
            open_metrics: protocol.is_open_metrics(),
            name: String::new(),
            bucket: String::new(),
            out: String::new(),
            room: 1024,
        }
    }

    /// Begins a chunk. Its buffer is made only now, so that the one of the chunk before can be free already.
    pub(super) fn begin(&mut self) {
        self.out.reserve(self.room);
    }

    /// Takes what was written so far.
    pub(super) fn take(&mut self) -> String {
        if self.is_full() {
            self.room = CHUNK + MARGIN;
        }
        std::mem::take(&mut self.out)
    }

    /// Appends text that is of the right format already.
    pub(super) fn append(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Writes the last line, where the format has one.
    pub(super) fn end(&mut self) {
        if self.open_metrics {
            self.out.push_str("# EOF\n");
        }
    }

    fn introduce(&mut self, word: &str, name: &str) {
        for part in ["# ", word, " ", name, " "] {
            self.out.push_str(part);
        }
    }

    fn sample(&mut self, suffix: &str, labels: &str, value: Number) {
        self.out.push_str(&self.name);
        self.out.push_str(suffix);
        if !labels.is_empty() {
            self.out.push('{');
            self.out.push_str(labels);
            self.out.push('}');
        }
        self.out.push(' ');
        number::write(&mut self.out, value);
    }

    fn counter(&mut self, labels: &str, point: &CounterPoint<'_>) {
        self.sample("", labels, point.value);
        self.end_line(point.exemplar.as_ref());
    }

    fn histogram(&mut self, labels: &str, point: &HistogramPoint<'_>) {
        self.bucket.clear();
        let comma = if labels.is_empty() { "" } else { "," };
        for part in [&self.name, "_bucket{", labels, comma, "le=\""] {
            self.bucket.push_str(part);
        }
        let mut cumulated = 0;
        let mut les = point.bounds.le();
        for (at, count) in point.counts.iter().enumerate() {
            cumulated += count;
            self.out.push_str(&self.bucket);
            self.out.push_str(les.next().unwrap_or("+Inf"));
            self.out.push_str("\"} ");
            number::unsigned(&mut self.out, cumulated);
            self.end_line(point.exemplars.get(at).and_then(Option::as_ref));
        }
        self.sample("_sum", labels, point.sum);
        self.end_line(None);
        self.sample("_count", labels, Number::Unsigned(cumulated));
        self.end_line(None);
    }

    /// Ends a sample's line, with its exemplar where the format has room for it.
    #[inline]
    fn end_line(&mut self, exemplar: Option<&Exemplar<'_>>) {
        if let (true, Some(exemplar)) = (self.open_metrics, exemplar) {
            self.exemplar(exemplar);
        }
        self.out.push('\n');
    }

    #[cold]
    fn exemplar(&mut self, exemplar: &Exemplar<'_>) {
        let mut rendered = String::new();
        for (name, value) in exemplar.labels {
            labels::render(&mut rendered, name, &labels::label_value(value));
        }
        for part in [" # {", &rendered, "} "] {
            self.out.push_str(part);
        }
        number::float(&mut self.out, exemplar.value);
        if let Some(time) = exemplar.time {
            self.out.push(' ');
            number::timestamp(&mut self.out, time);
        }
    }
}

impl Visitor for TextWriter {
    fn family(&mut self, descriptor: &Descriptor) {
        self.name = descriptor.sample_name();
        // OpenMetrics introduces a counter without the `_total` of its samples.
        let name = if self.open_metrics { descriptor.name() } else { &self.name }.to_owned();
        self.introduce("HELP", &name);
        escape_help(&mut self.out, descriptor.help(), self.open_metrics);
        self.out.push('\n');
        self.introduce("TYPE", &name);
        self.out.push_str(descriptor.kind().as_str());
        self.out.push('\n');
        if let (true, Some(unit)) = (self.open_metrics, descriptor.unit()) {
            self.introduce("UNIT", &name);
            self.out.push_str(unit.as_str());
            self.out.push('\n');
        }
    }

    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>) {
        match point {
            Point::Counter(counter) => self.counter(labels.rendered(), counter),
            Point::Gauge(value) => {
                self.sample("", labels.rendered(), *value);
                self.end_line(None);
            }
            Point::Histogram(histogram) => self.histogram(labels.rendered(), histogram),
        }
    }

    fn is_full(&self) -> bool {
        self.out.len() >= CHUNK
    }
}

/// Appends help text as it stands in a `# HELP` line: on one line, and with quotes escaped (`quotes`), as only OpenMetrics has them.
///
/// For an [`Attachment`](crate::Attachment), which writes such lines itself.
pub fn escape_help(out: &mut String, help: &str, quotes: bool) {
    for char in help.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::{Bounds, Vitals};

    fn vitals() -> Vitals {
        let vitals = Vitals::builder()
            .namespace("t")
            .constant_label("service", "a\"b")
            .build()
            .unwrap();
        vitals
            .counter("jobs_total", "Jobs \"run\"\nin C:\\")
            .labels(["queue"])
            .unwrap()
            .with(["m\\n"])
            .inc();
        vitals.float_counter("spent_joules", "Energy").register().unwrap().inc_by(0.5);
        vitals.gauge("level", "Level").register().unwrap().set(-4);
        let waits = vitals
            .histogram("wait_seconds", "Waits")
            .buckets([0.5, 1.0])
            .labels(["queue"])
            .unwrap();
        waits.with(["mail"]).observe_duration(Duration::from_millis(500));
        waits.with(["mail"]).observe(2.25);
        vitals
    }

    const SERIES: &str = r#"t_vitals_series{service="a\"b",family="t_jobs_total"} 1
t_vitals_series{service="a\"b",family="t_level"} 1
t_vitals_series{service="a\"b",family="t_spent_joules_total"} 1
t_vitals_series{service="a\"b",family="t_vitals_attachment_errors_total"} 0
t_vitals_series{service="a\"b",family="t_vitals_label_overflow_total"} 0
t_vitals_series{service="a\"b",family="t_vitals_series"} 7
t_vitals_series{service="a\"b",family="t_wait_seconds"} 1
"#;

    const SECONDS: &str = r#"t_wait_seconds_bucket{service="a\"b",queue="mail",le="0.5"} 1
t_wait_seconds_bucket{service="a\"b",queue="mail",le="1.0"} 1
t_wait_seconds_bucket{service="a\"b",queue="mail",le="+Inf"} 2
t_wait_seconds_sum{service="a\"b",queue="mail"} 2.75
t_wait_seconds_count{service="a\"b",queue="mail"} 2
"#;

    #[test]
    fn prometheus_text() {
        let expected = r#"# HELP t_jobs_total Jobs "run"\nin C:\\
# TYPE t_jobs_total counter
t_jobs_total{service="a\"b",queue="m\\n"} 1
# HELP t_level Level
# TYPE t_level gauge
t_level{service="a\"b"} -4
# HELP t_spent_joules_total Energy
# TYPE t_spent_joules_total counter
t_spent_joules_total{service="a\"b"} 0.5
# HELP t_vitals_series Series that a family has
# TYPE t_vitals_series gauge
"#;
        let seconds = "# HELP t_wait_seconds Waits\n# TYPE t_wait_seconds histogram\n";
        let text = vitals().encode_to_string(Protocol::TEXT);
        assert_eq!(text, [expected, SERIES, seconds, SECONDS].concat());
    }

    #[test]
    fn open_metrics() {
        let expected = r#"# HELP t_jobs Jobs \"run\"\nin C:\\
# TYPE t_jobs counter
t_jobs_total{service="a\"b",queue="m\\n"} 1
# HELP t_level Level
# TYPE t_level gauge
t_level{service="a\"b"} -4
# HELP t_spent_joules Energy
# TYPE t_spent_joules counter
# UNIT t_spent_joules joules
t_spent_joules_total{service="a\"b"} 0.5
# HELP t_vitals_series Series that a family has
# TYPE t_vitals_series gauge
"#;
        let seconds = "# HELP t_wait_seconds Waits\n# TYPE t_wait_seconds histogram\n# UNIT t_wait_seconds seconds\n";
        let text = vitals().encode_to_string(Protocol::OPEN_METRICS);
        assert_eq!(text, [expected, SERIES, seconds, SECONDS, "# EOF\n"].concat());
    }

    fn with_exemplars(protocol: Protocol) -> String {
        let exemplar = Exemplar {
            labels: &[("trace_id", "a\"b")],
            value: 0.25,
            time: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1500)),
        };
        let mut writer = TextWriter::new(protocol);
        writer.name = "x".into();
        writer.counter(
            "",
            &CounterPoint {
                value: Number::Unsigned(3),
                start: SystemTime::UNIX_EPOCH,
                exemplar: Some(exemplar),
            },
        );
        writer.histogram(
            "a=\"b\"",
            &HistogramPoint {
                bounds: &Bounds::try_new(&[1.0]).unwrap(),
                counts: &[1, 0],
                sum: Number::Float(0.25),
                start: SystemTime::UNIX_EPOCH,
                exemplars: &[Some(exemplar), None],
                native: None,
            },
        );
        writer.take()
    }

    #[test]
    fn exemplars_stand_in_open_metrics_only() {
        let plain = with_exemplars(Protocol::TEXT);
        assert_eq!(
            plain.lines().take(3).collect::<Vec<_>>(),
            ["x 3", r#"x_bucket{a="b",le="1.0"} 1"#, r#"x_bucket{a="b",le="+Inf"} 1"#]
        );
        let lines = with_exemplars(Protocol::OPEN_METRICS);
        let lines: Vec<_> = lines.lines().collect();
        assert_eq!(lines[0], r#"x 3 # {trace_id="a\"b"} 0.25 1.5"#);
        assert_eq!(lines[1], r#"x_bucket{a="b",le="1.0"} 1 # {trace_id="a\"b"} 0.25 1.5"#);
        assert_eq!(lines[2], r#"x_bucket{a="b",le="+Inf"} 1"#);
    }
}
