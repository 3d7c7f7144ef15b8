//! One line of a scrape.

use super::names;

/// A sample as prometheus-client wrote it, taken apart. Label values stay escaped, as both formats have them.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    pub(super) labels: Vec<Label<'a>>,
    pub(super) value: &'a str,
    pub(super) exemplar: Option<Exemplar<'a>>,
}

/// One observation that stands for others.
#[derive(Debug, PartialEq)]
pub(super) struct Exemplar<'a> {
    pub(super) labels: Vec<Label<'a>>,
    pub(super) value: &'a str,
    pub(super) time: Option<&'a str>,
}

/// A label's name and its value between the quotes.
pub(super) type Label<'a> = (&'a str, &'a str);

// === impl Sample ===

impl<'a> Sample<'a> {
    /// Reads a line; none if Prometheus would refuse it.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (name, rest) = line.split_at(line.find(['{', ' '])?);
        let (labels, rest) = labels(rest)?;
        let rest = rest.strip_prefix(' ')?;
        // Values have no `#`, and the labels are behind us.
        let (value, exemplar) = match rest.split_once(" # ") {
            Some((value, exemplar)) => (value, Some(Exemplar::parse(exemplar)?)),
            None => (rest, None),
        };
        let value = number(value)?;
        let labels = labels.into_iter().map(|label| bound(name, label)).collect();
        Some(Self {
            name,
            labels,
            value,
            exemplar,
        })
    }

    /// Appends the line without its exemplar and its end.
    pub(super) fn write(&self, out: &mut String) {
        out.push_str(self.name);
        if !self.labels.is_empty() {
            write_labels(out, &self.labels);
        }
        out.push(' ');
        out.push_str(self.value);
    }
}

// === impl Exemplar ===

impl<'a> Exemplar<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (labels, rest) = labels(text)?;
        let rest = rest.strip_prefix(' ')?;
        let (value, time) = match rest.split_once(' ') {
            Some((value, time)) => (value, Some(number(time)?)),
            None => (rest, None),
        };
        Some(Self {
            labels,
            value: number(value)?,
            time,
        })
    }

    /// Appends the exemplar to its sample's line.
    pub(super) fn write(&self, out: &mut String) {
        out.push_str(" # ");
        write_labels(out, &self.labels);
        for number in std::iter::once(self.value).chain(self.time) {
            out.push(' ');
            out.push_str(number);
        }
    }
}

/// Takes labels in braces, if there are any, and gives what stands behind them.
fn labels(text: &str) -> Option<(Vec<Label<'_>>, &str)> {
    let mut labels: Vec<Label<'_>> = Vec::new();
    let Some(mut rest) = text.strip_prefix('{') else {
        return Some((labels, text));
    };
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        if !names::is_label(name) || labels.iter().any(|(known, _)| *known == name) {
            return None;
        }
        let end = closing_quote(quoted)?;
        labels.push((name, &quoted[..end]));
        rest = &quoted[end + 1..];
        // An empty label set leaves a comma before the brace.
        rest = match rest.strip_prefix(',') {
            Some(rest) => rest,
            None if rest.starts_with('}') => rest,
            None => return None,
        };
    }
}

/// Where the quote stands that ends an escaped text.
fn closing_quote(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at),
            b'\\' => {
                bytes.next().filter(|(_, escaped)| matches!(escaped, b'\\' | b'"' | b'n'))?;
            }
            _ => {}
        }
    }
    None
}

fn write_labels(out: &mut String, labels: &[Label<'_>]) {
    for (at, (name, value)) in labels.iter().enumerate() {
        for part in [if at == 0 { "{" } else { "," }, name, "=\"", value, "\""] {
            out.push_str(part);
        }
    }
    out.push_str(if labels.is_empty() { "{}" } else { "}" });
}

/// The number in the spelling that OpenMetrics demands; prometheus-client writes `inf`.
fn number(text: &str) -> Option<&str> {
    let value: f64 = text.parse().ok()?;
    Some(match value {
        _ if value.is_nan() => "NaN",
        f64::INFINITY => "+Inf",
        f64::NEG_INFINITY => "-Inf",
        _ => text,
    })
}

/// A bucket's bound is a number too.
fn bound<'a>(sample: &str, label: Label<'a>) -> Label<'a> {
    match label {
        ("le", value) if sample.ends_with("_bucket") => ("le", number(value).unwrap_or(value)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> Option<String> {
        let sample = Sample::parse(line)?;
        let mut out = String::new();
        sample.write(&mut out);
        if let Some(exemplar) = &sample.exemplar {
            exemplar.write(&mut out);
        }
        Some(out)
    }

    #[test]
    fn what_is_right_stays_as_it_is() {
        for line in [
            "a 1",
            r#"a_total{b="c",d=""} 1.5"#,
            r#"a{b="} 1 # {x=\"y\"} 2"} NaN"#,
            r#"a{b="\\",c="\"",d="\n"} -3e-7"#,
            r##"a_total{b="# EOF"} 1 # {trace_id="} 7 # {"} 0.5 1500000000.25"##,
            "a_total 1 # {} 0.5",
        ] {
            assert_eq!(rewritten(line).as_deref(), Some(line));
        }
    }

    #[test]
    fn spelling_is_repaired() {
        for (line, repaired) in [
            ("a inf", "a +Inf"),
            ("a -inf", "a -Inf"),
            ("a nan", "a NaN"),
            ("a{} 1", "a 1"),
            (r#"a{b="c",} 1"#, r#"a{b="c"} 1"#),
            (r#"a_bucket{le="inf"} 1"#, r#"a_bucket{le="+Inf"} 1"#),
            (r#"a{le="inf"} 1"#, r#"a{le="inf"} 1"#),
            (r#"a 1 # {} inf"#, "a 1 # {} +Inf"),
        ] {
            assert_eq!(rewritten(line).as_deref(), Some(repaired));
        }
    }

    #[test]
    fn what_prometheus_would_refuse_is_not_a_sample() {
        for line in [
            "",
            "a",
            "a ",
            "a b",
            "a 1 2 3",
            r#"a{b-c="d"} 1"#,
            r#"a{b="c"d="e"} 1"#,
            r#"a{b="c",b="d"} 1"#,
            r#"a{__name__="b"} 1"#,
            r#"a{b="c} 1"#,
            r#"a{b="\x"} 1"#,
            r#"a{b="c\"} 1"#,
            r#"a{b="c"}1"#,
            r#"a{b="c" 1"#,
            r#"a{,b="c"} 1"#,
            r#"a 1 # {b-c="d"} 1"#,
            r#"a 1 # {b="d"}"#,
            r#"a 1 # {b="d"} x"#,
        ] {
            assert_eq!(rewritten(line), None, "{line}");
        }
    }
}
