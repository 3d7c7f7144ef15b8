//! What threads share, by one name for two: `std` and arc-swap in every build, loom in the models of `crate::models`.
//!
//! Code whose order of loads and stores matters takes its types from here, so that loom sees what it does. Loom has no `OnceLock`,
//! cannot copy an `Arc` without counting it, and cannot see into arc-swap; `modelled` stands in for the three.

#[cfg(all(test, loom))]
mod modelled;

#[cfg(all(test, loom))]
pub(crate) use self::modelled::{Arc, ArcSwap, ArcSwapOption, Borrowed, Mutex, OnceLock, atomic, global, thread_local};
#[cfg(not(all(test, loom)))]
pub(crate) use {
    arc_swap::{ArcSwap, ArcSwapOption},
    std::{
        sync::{Arc, Mutex, OnceLock, atomic},
        thread_local,
    },
};

/// A static.
#[cfg(not(all(test, loom)))]
macro_rules! global {
    ($($static:tt)*) => { $($static)* };
}
#[cfg(not(all(test, loom)))]
pub(crate) use global;

/// What an [`ArcSwapOption`] lends.
#[cfg(not(all(test, loom)))]
pub(crate) type Borrowed<T> = arc_swap::Guard<Option<Arc<T>>>;
