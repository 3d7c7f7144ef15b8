//! The part `breaker`: what a circuit breaker adds to each call.
//!
//! `call` says what a call is and repeats it, and one file a breaker makes the call through it. `counts` and `report` measure.

mod bare;
mod call;
mod counts;
mod entries;
mod method;
mod ours;
mod report;
#[cfg(feature = "rival-breakers")]
mod rivals;

use std::time::Duration;

pub(crate) use self::{
    counts::{added, child, on_heap},
    report::run,
};

/// How long a breaker stays open.
const OPEN: Duration = Duration::from_secs(60 * 60);
