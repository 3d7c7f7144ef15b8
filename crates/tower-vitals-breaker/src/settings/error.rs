use std::{error::Error, fmt};

use tower_vitals_core::RegisterError;

/// A breaker could not be built: which one, and which value broke which rule.
#[derive(Debug)]
pub struct BuildError {
    breaker: String,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    /// A setting breaks a rule.
    Setting(String),
    /// A breaker of this name is there with other settings.
    Conflict(String),
    /// The metrics could not be registered.
    Register(RegisterError),
}

impl BuildError {
    pub(crate) fn setting(breaker: &str, rule: impl Into<String>) -> Self {
        Self::of(breaker, Rule::Setting(rule.into()))
    }

    pub(crate) fn conflict(breaker: &str, difference: impl Into<String>) -> Self {
        Self::of(breaker, Rule::Conflict(difference.into()))
    }

    pub(crate) fn register(breaker: &str, error: RegisterError) -> Self {
        Self::of(breaker, Rule::Register(error))
    }

    fn of(breaker: &str, rule: Rule) -> Self {
        // A name from configuration can be of any length; an error line should not.
        let breaker = breaker.chars().take(200).flat_map(char::escape_debug).collect();
        Self { breaker, rule }
    }

    /// Whether there is a breaker of this name already, with other settings.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.rule, Rule::Conflict(_))
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "circuit breaker `{}`: ", self.breaker)?;
        match &self.rule {
            Rule::Setting(rule) => f.write_str(rule),
            Rule::Conflict(difference) => write!(f, "it is there already with other settings: {difference}"),
            Rule::Register(error) => write!(f, "its metrics cannot be registered: {error}"),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.rule {
            Rule::Register(error) => Some(error),
            Rule::Setting(_) | Rule::Conflict(_) => None,
        }
    }
}
