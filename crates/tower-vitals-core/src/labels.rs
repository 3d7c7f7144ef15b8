//! The labels of one series: values to compare, text to print.

use std::borrow::Cow;

use crate::{Label, RegisterError, name};

/// The value that stands for all values that a budget or a closed set refused.
pub const OTHER: &str = "_other";

/// Longer values are cut, so that a budget of values is a budget of memory too.
pub const LONGEST_VALUE: usize = 1024;

/// Labels that every series of a [`Vitals`](crate::Vitals) carries, such as `service`.
#[derive(Debug, Default)]
pub(crate) struct ConstantLabels {
    pairs: Vec<(Box<str>, Box<str>)>,
    rendered: String,
}

/// The label values of one series, raw and rendered. Both are made once, when the series is.
#[derive(Debug)]
pub(crate) struct SeriesLabels {
    /// All values, one after the other.
    text: Box<str>,
    /// Where each value ends in `text`. No series has 4 GiB of values, each of which is cut.
    ends: Box<[u32]>,
    /// `name="value",…` with constant labels first, escaped.
    rendered: Box<str>,
}

/// The labels of a sample, as a [`Visitor`](crate::encode::Visitor) is given them.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    constant: &'a ConstantLabels,
    names: &'a [Label],
    series: &'a SeriesLabels,
}

// === impl ConstantLabels ===

impl ConstantLabels {
    pub(crate) fn push(&mut self, label: &str, value: &str) -> Result<(), RegisterError> {
        name::label(label)?;
        if self.has(label) {
            return Err(RegisterError::name("constant label", label, "is set twice"));
        }
        let value = label_value(value);
        render(&mut self.rendered, label, &value);
        self.pairs.push((label.into(), value.into()));
        Ok(())
    }

    pub(crate) fn has(&self, label: &str) -> bool {
        self.pairs.iter().any(|(name, _)| **name == *label)
    }
}

// === impl SeriesLabels ===

impl SeriesLabels {
    pub(crate) fn new<V: AsRef<str>>(constant: &ConstantLabels, names: &[Label], values: &[V]) -> Self {
        let mut text = String::new();
        let mut ends = Vec::with_capacity(values.len());
        let mut rendered = constant.rendered.clone();
        for (label, value) in names.iter().zip(values) {
            text.push_str(value.as_ref());
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
            render(&mut rendered, &label.name, value.as_ref());
        }
        Self {
            text: text.into(),
            ends: ends.into(),
            rendered: rendered.into(),
        }
    }

    /// Whether these are exactly the values.
    pub(crate) fn are<V: AsRef<str>>(&self, values: &[V]) -> bool {
        self.values().eq(values.iter().map(AsRef::as_ref))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.ends.iter().scan(0, |start, end| {
            let end = *end as usize;
            let value = self.text.get(*start..end);
            *start = end;
            value
        })
    }
}

// === impl Labels ===

impl<'a> Labels<'a> {
    pub(crate) fn new(constant: &'a ConstantLabels, names: &'a [Label], series: &'a SeriesLabels) -> Self {
        Self { constant, names, series }
    }

    /// `name="value",…`, escaped as both text formats want it, without braces; empty when there are no labels.
    #[must_use]
    pub fn rendered(&self) -> &'a str {
        &self.series.rendered
    }

    /// Names and raw values, constant labels first.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let constant = self.constant.pairs.iter().map(|(name, value)| (&**name, &**value));
        constant.chain(self.names.iter().map(|label| &*label.name).zip(self.series.values()))
    }
}

/// The value as a series keeps it: without NUL, which ends Prometheus' input, and cut to [`LONGEST_VALUE`] bytes.
///
/// [`Family::with`](crate::Family::with) does this by itself; it is for code that keeps something of its own by label value.
///
/// # Example
/// ```
/// use tower_vitals_core::label_value;
///
/// assert_eq!(label_value("/users/{id}"), "/users/{id}");
/// assert_eq!(label_value("a\0b"), "a\u{FFFD}b");
/// ```
#[must_use]
pub fn label_value(value: &str) -> Cow<'_, str> {
    let cut = if value.len() <= LONGEST_VALUE {
        value
    } else {
        let end = (0..=LONGEST_VALUE)
            .rev()
            .find(|end| value.is_char_boundary(*end))
            .unwrap_or(0);
        &value[..end]
    };
    if cut.contains('\0') {
        // The replacement is longer, but by a factor that is bounded.
        Cow::Owned(cut.replace('\0', "\u{FFFD}"))
    } else {
        Cow::Borrowed(cut)
    }
}

/// Appends `name="value"`, after a comma where something stands before.
pub(crate) fn render(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(name);
    out.push_str("=\"");
    for char in value.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart_by_their_borders() {
        let labels = SeriesLabels::new(&ConstantLabels::default(), &[], &[] as &[&str]);
        assert!(labels.are::<&str>(&[]));
        let name = |name: &str| Label {
            name: name.into(),
            values: crate::LabelValues::Budget(1),
        };
        let labels = SeriesLabels::new(&ConstantLabels::default(), &[name("a"), name("b")], &["ab", "c"]);
        assert!(labels.are(&["ab", "c"]));
        assert!(!labels.are(&["a", "bc"]));
        assert!(!labels.are(&["ab"]));
        assert!(!labels.are(&["ab", "c", ""]));
    }

    #[test]
    fn any_value_is_printed_on_one_line() {
        let mut out = String::new();
        render(&mut out, "a", "q\"b\\s\nn");
        render(&mut out, "b", "");
        assert_eq!(out, r#"a="q\"b\\s\nn",b="""#);
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let long = "é".repeat(10_000);
        let cut = label_value(&long);
        assert_eq!(cut.len(), LONGEST_VALUE);
        assert_eq!(label_value(&format!("x{long}")).len(), LONGEST_VALUE - 1);
        assert_eq!(label_value("a\0b"), "a\u{FFFD}b");
        assert!(matches!(label_value("plain"), Cow::Borrowed("plain")));
    }
}
