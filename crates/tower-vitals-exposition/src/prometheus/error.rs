use std::{error::Error, fmt};

use tower_vitals_core::RegisterError;

/// A registry could not be [attached](super::attach()), and nothing has changed.
#[derive(Debug)]
pub struct AttachError {
    reason: Reason,
}

#[derive(Debug)]
pub(super) enum Reason {
    /// Both sides have a family.
    Conflict(RegisterError),
    /// The registry shows the families of the Vitals that it should be attached to.
    OwnCollector,
    /// prometheus-client gave an error.
    Unreadable,
    /// Something in the registry panicked.
    Panicked,
}

impl AttachError {
    /// Whether a family of the registry has the name of one that comes out already.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.reason, Reason::Conflict(_))
    }

    /// Whether the registry holds the [collector](super::collector()) of the same Vitals, here or in a sub-registry.
    #[must_use]
    pub fn is_own_collector(&self) -> bool {
        matches!(self.reason, Reason::OwnCollector)
    }
}

impl From<Reason> for AttachError {
    fn from(reason: Reason) -> Self {
        Self { reason }
    }
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Conflict(error) => fmt::Display::fmt(error, f),
            Reason::OwnCollector => f.write_str("the registry holds a collector of the Vitals that it should be attached to"),
            Reason::Unreadable => {
                f.write_str("the registry could not be encoded: one of its metrics or collectors gave an error")
            }
            Reason::Panicked => f.write_str("the registry could not be encoded: one of its metrics or collectors panicked"),
        }
    }
}

impl Error for AttachError {}
