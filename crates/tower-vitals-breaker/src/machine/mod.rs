//! What a breaker decides, from plain values.

#[allow(clippy::module_inception)]
mod machine;
mod probes;
mod transition;
mod word;

pub(crate) use self::{
    machine::{Machine, Ticket},
    transition::{Change, Transition, Transitions},
    word::Word,
};
