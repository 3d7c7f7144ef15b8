//! The part `memory`: what a series takes, and what stays when a label takes ever new values.

mod distinct;
mod held;
mod part;

pub(crate) use self::{
    held::per_series,
    part::{child, on_heap, run},
};
