//! What others have made for the same work, one a file: how it is called, and a test that it opens and rejects.
//!
//! Settings are each library's own defaults, but a breaker that is open stays so for as long as anybody measures.

pub(super) mod failsafe;
pub(super) mod recloser;
pub(super) mod tower_resilience;
