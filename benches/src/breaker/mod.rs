//! The part `breaker`: what a circuit breaker adds to each call.
//!
//! `call` says what a call is and repeats it, and one file a breaker makes the call through it. `counts` and `report` measure.

mod bare;
mod call;
mod counts;
mod entries;
mod method;
mod report;
#[cfg(feature = "rival-breakers")]
mod rivals;

pub(crate) use self::{
    counts::{child, on_heap},
    report::run,
};
