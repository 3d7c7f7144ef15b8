//! The part `scrape`: what it costs to write all series out, with each library.
//!
//! `work` says which series there are, and one file a library makes them and writes them. `check` reads what was written back,
//! `time` and `part` measure.

mod check;
mod library;
#[cfg(feature = "rivals")]
mod measured;
#[cfg(feature = "rivals")]
mod metrics;
mod ours;
mod part;
#[cfg(feature = "rivals")]
mod prometheus;
#[cfg(feature = "rivals")]
mod prometheus_client;
mod time;
mod work;

pub(crate) use self::{
    library::{LIBRARIES, Library},
    part::{child, heap_of, on_heap, run},
    work::{Kind, Work},
};
