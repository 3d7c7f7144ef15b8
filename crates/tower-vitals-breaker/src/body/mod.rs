//! Bodies of responses that are watched to their end.

#[allow(clippy::module_inception)]
mod body;
#[cfg(test)]
mod tests;

pub use self::body::BreakerBody;
pub(crate) use self::body::{Ends, Watch};
