//! What waits, as plain values: time and order come from outside, and nothing in here waits or is woken.

mod close;
mod counts;
mod data;
mod pop;
mod push;
#[allow(clippy::module_inception)]
mod queue;
#[cfg(all(test, not(loom)))]
pub(super) mod tests;
mod waiting;

pub(super) use self::{
    pop::Popped,
    push::{Mode, Pushed},
    queue::Queue,
    waiting::Turn,
};
