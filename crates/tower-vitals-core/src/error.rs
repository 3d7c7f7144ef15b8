//! What can go wrong when a [`Vitals`](crate::Vitals) is built or a family is registered.

use std::{error::Error, fmt};

/// A family could not be registered, or a [`Vitals`](crate::Vitals) not be built: which value broke which rule.
///
/// # Example
/// ```
/// let vitals = tower_vitals_core::Vitals::new();
/// let error = vitals.counter("2fast", "Too fast").register().unwrap_err();
/// assert_eq!(error.to_string(), "metric name `2fast` must start with a letter or `_`");
/// ```
#[derive(Debug)]
pub struct RegisterError {
    rule: Rule,
}

#[derive(Debug)]
pub(crate) enum Rule {
    /// A name breaks a rule: what it names, the name, and the rule.
    Name {
        what: &'static str,
        name: String,
        rule: &'static str,
    },
    /// Something else is out of bounds: the family and the rule.
    Value { family: String, rule: String },
    /// The family is there in another shape.
    Shape { asked: String, known: String },
    /// Another family's samples have this name.
    Taken { name: String, sample: String, by: String },
    /// The name belongs to one of our own families.
    Reserved { name: String },
}

impl RegisterError {
    pub(crate) fn name(what: &'static str, name: &str, rule: &'static str) -> Self {
        // A name from configuration can be of any length; an error line should not.
        let name = name.chars().take(200).flat_map(char::escape_debug).collect();
        Self {
            rule: Rule::Name { what, name, rule },
        }
    }

    /// A setting of a family that breaks a rule, for layers that check settings of their own.
    pub fn invalid(family: &str, rule: impl Into<String>) -> Self {
        Self {
            rule: Rule::Value {
                family: family.into(),
                rule: rule.into(),
            },
        }
    }

    /// Whether the family exists already in another shape, or another family's samples take its name.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.rule, Rule::Shape { .. } | Rule::Taken { .. } | Rule::Reserved { .. })
    }
}

impl From<Rule> for RegisterError {
    fn from(rule: Rule) -> Self {
        Self { rule }
    }
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Rule::Name { what, name, rule } => write!(f, "{what} `{name}` {rule}"),
            Rule::Value { family, rule } => write!(f, "`{family}`: {rule}"),
            Rule::Shape { asked, known } => write!(f, "registered already in another shape: asked for {asked}, there is {known}"),
            Rule::Taken { name, sample, by } => {
                write!(f, "`{name}` cannot be registered: its name `{sample}` is taken by {by}")
            }
            Rule::Reserved { name } => {
                write!(f, "`{name}` is reserved for tower-vitals' own metrics")
            }
        }
    }
}

impl Error for RegisterError {}
