//! The clock that code has which knows nothing of ours: what is written by hand reads the system's clock itself.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "a reference has no `Clock`, and neither has what others write"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
