//! What a breaker is told when it is built.

mod builder;
mod error;
mod half_open;
mod open_for;
mod semantics;
mod window;

#[cfg(all(test, not(loom)))]
pub(crate) use self::{
    builder::{Slow, Trip},
    semantics::Reaches,
};
use std::time::Duration;

pub use self::{builder::CircuitBreakerBuilder, error::BuildError, half_open::HalfOpen, open_for::OpenFor, window::Window};
pub(crate) use self::{
    builder::Settings,
    half_open::Round,
    semantics::{Judged, Semantics, Verdicts},
};
pub(crate) use window::WindowKind;

/// No time that a breaker is told may be longer.
const LONGEST_DURATION: Duration = Duration::from_secs(30 * 24 * 3600);

/// The same in nanoseconds.
const LONGEST: u64 = 30 * 24 * 3600 * 1_000_000_000;
