//! The part `stall`: how long a scrape and new series can hold up whoever records into a series that exists.
//!
//! - `subject` says what is measured: a family of counters. `ours` is one, `prometheus_client` another, and `unrelated`
//!   keeps the control's threads busy.
//! - `round` lets three threads work for a while: one records, one scrapes, one makes new series. `histogram` keeps the times and
//!   `waits` says how much of a time was spent waiting for a core.
//! - `rounds` pairs each round with a control, and `excess` takes the difference.
//! - `stopped` stops the others in the middle of their work and sees whether a recording still gets through. `atomics` counts the
//!   instructions without which no lock is taken.
//! - `cases` says how large the families are and what ours have to keep to, `report` makes tables and goals of it all, and `method` says
//!   how it was found.

mod atomics;
mod cases;
mod excess;
mod histogram;
mod method;
mod ours;
#[cfg(feature = "rivals")]
mod prometheus_client;
mod report;
mod round;
mod rounds;
mod stopped;
mod subject;
mod unrelated;
mod waits;

pub(crate) use self::{atomics::child, report::run};
