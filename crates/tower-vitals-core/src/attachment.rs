//! Families that are kept elsewhere and come out of the same scrape.

use crate::encode::Protocol;

/// Another library's metrics, which a [`Vitals`](crate::Vitals) shows after its own.
///
/// The bridge to prometheus-client is one; implement it for a library of your own.
pub trait Attachment: Send + Sync + 'static {
    /// Appends families as text of the given protocol, without the closing `# EOF`, and says how many it left out. Families of a name
    /// for which `taken` is true must be left out. No lock is held while this runs; a panic counts as an error.
    ///
    /// # Errors
    /// When the families could not be had. What was appended is thrown away then, and the scrape goes on without.
    fn render(&self, protocol: Protocol, taken: &dyn Fn(&str) -> bool, out: &mut String) -> Result<LeftOut, AttachmentError>;

    /// Who has a name here, for the error that a registration of the same name gets.
    ///
    /// This is called under the lock of the registry: it must be quick and must not call the [`Vitals`](crate::Vitals).
    fn owner_of(&self, name: &str) -> Option<String>;
}

/// How many families an attachment left out of a scrape. They are counted in `vitals_attachment_errors_total`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Families whose name, or series, somebody else has.
    pub duplicate: u64,
    /// Families that Prometheus would refuse, and the scrape with them.
    pub invalid: u64,
}

/// An attachment could not give its families.
#[derive(Debug)]
pub struct AttachmentError {
    reason: String,
}

impl AttachmentError {
    /// An error with a reason.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl std::fmt::Display for AttachmentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "attached metrics could not be read: {}", self.reason)
    }
}

impl std::error::Error for AttachmentError {}
