//! Label values that are known when the program is written.

/// The values that a label may take, as a type: implemented for an enum by [`closed_label!`](crate::closed_label).
///
/// A label that is declared [`closed`](crate::FamilyBuilder::closed) over such a type needs no budget, because it cannot take any
/// other value.
pub trait ClosedLabel: Copy + 'static {
    /// All values.
    const ALL: &'static [Self];

    /// All values, as they stand in the label, in the same order.
    const VALUES: &'static [&'static str];

    /// This value, as it stands in the label.
    fn as_str(self) -> &'static str;
}

/// Declares an enum whose variants are the values of a label.
///
/// # Example
/// ```
/// use tower_vitals_core::{ClosedLabel, Vitals, closed_label};
///
/// closed_label! {
///     /// How a job ended.
///     pub enum JobOutcome {
///         /// It did what it should.
///         Done => "done",
///         /// It did not.
///         Failed => "failed",
///     }
/// }
///
/// # fn main() -> Result<(), tower_vitals_core::RegisterError> {
/// let vitals = Vitals::new();
/// let jobs = vitals.counter("jobs_total", "Jobs run").closed::<JobOutcome>("outcome").labels(["queue", "outcome"])?;
/// // All are there from the start.
/// for outcome in JobOutcome::ALL {
///     jobs.with(["mail", outcome.as_str()]);
/// }
/// jobs.with(["mail", JobOutcome::Done.as_str()]).inc();
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! closed_label {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $crate::ClosedLabel for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];
            const VALUES: &'static [&'static str] = &[$($text),+];

            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}
