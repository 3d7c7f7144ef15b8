//! Loom's types, and stand-ins made of them for what loom lacks.
//!
//! A model checks our code against the stand-ins, not against what they stand for. What is taken on trust of `std` is its documentation;
//! what is taken on trust of arc-swap is said in `arc_swap`.

#![allow(unreachable_pub)] // they stand for types that are public

mod arc;
mod arc_swap;
pub mod atomic;
mod once_lock;

pub use loom::sync::Mutex;

pub use self::{
    arc::Arc,
    arc_swap::{ArcSwap, ArcSwapOption, Borrowed},
    once_lock::OnceLock,
};

/// `std::thread_local` of a constant.
macro_rules! const_thread_local {
    ($(#[$meta:meta])* static $name:ident: $type:ty = const $value:block;) => {
        loom::thread_local! { $(#[$meta])* static $name: $type = $value; }
    };
}

/// What all threads of a run share. Loom makes it anew for each run.
macro_rules! global {
    (static $name:ident: $type:ty = $value:expr;) => {
        loom::lazy_static! { static ref $name: $type = $value; }
    };
}

pub(crate) use {const_thread_local as thread_local, global};
