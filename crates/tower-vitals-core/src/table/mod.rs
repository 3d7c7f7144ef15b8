//! A table that is read without locks.
//!
//! Three parts, each in a file of its own:
//!
//! - `slots` keeps the entries in the order in which they came, in segments that never move. A scrape walks them by number, so it
//!   needs no snapshot and holds nothing between two steps.
//! - `index` finds the slot of a key: an open-addressed array of atomic words, replaced as a whole when it is half full.
//! - [`Table`] joins them. Readers load atomics; writers (a new entry, a removal) take one mutex that no reader knows of.
//!
//! An entry is handed out as an [`Entry`], which borrows it from the table without touching a shared reference count. An [`Entry`] or a
//! clone of its `Arc` keeps an entry alive and, because removals leave held entries alone, in the table.
//!
//! What readers and writers may see of each other is checked by the models in `crate::models::table`, which loom runs through every
//! order of threads and memory within a bound. That arc-swap counts all it has lent before a swap returns is assumed there, not checked.

mod index;
mod slots;

#[allow(clippy::module_inception)]
mod table;

pub use self::{slots::Entry, table::Table};
