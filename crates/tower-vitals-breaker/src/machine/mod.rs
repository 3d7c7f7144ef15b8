//! What a breaker decides, from plain values.

#[cfg(all(test, not(loom)))]
mod foreign;
#[allow(clippy::module_inception)]
mod machine;
mod order;
mod probes;
mod ticket;
mod transition;
mod word;

pub(crate) use self::{
    machine::Machine,
    order::Order,
    ticket::{Purpose, Ticket},
    transition::{Change, Transition, Transitions},
    word::Word,
};
