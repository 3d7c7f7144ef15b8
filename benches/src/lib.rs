//! Measurements of tower-vitals, one part a module.
//!
//! The program `benches` runs them. `heap`, a program of its own because its allocator counts, answers what a part asks of the heap.

pub mod heap;
pub mod parts;

mod app;
mod breaker;
mod callgrind;
mod cargo;
mod gate;
mod instant;
mod memory;
mod method;
mod no_op;
mod pairs;
mod quartiles;
mod requests;
mod results;
#[cfg(feature = "rivals")]
mod rivals;
mod scrape;
mod section;
mod stall;
mod table;
mod times;
mod unlabelled;
mod versions;
mod websocket;

/// Whatever went wrong, said in a sentence.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
