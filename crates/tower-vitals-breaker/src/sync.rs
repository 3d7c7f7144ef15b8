//! What threads share, by one name for two: `std` and core's sharded words in every build, loom in the models of `crate::models`.
//!
//! References are counted by `std` in the models, too: loom's `Arc` can hold nothing that is known by its trait only. All threads of a
//! model share one set of words, which is where they meet most; that words are found and added up is modelled in core.

pub(crate) use std::sync::Arc;

#[cfg(all(test, loom))]
pub(crate) use {
    self::modelled::Sharded,
    loom::sync::{Mutex, MutexGuard, atomic},
};
#[cfg(not(all(test, loom)))]
pub(crate) use {
    std::sync::{Mutex, MutexGuard, atomic},
    tower_vitals_core::sharded::Sharded,
};

#[cfg(all(test, loom))]
mod modelled {
    /// Words of a single shard.
    pub(crate) struct Sharded<W>(W);

    impl<W> Sharded<W> {
        pub(crate) fn new(own: W) -> Self {
            Self(own)
        }

        pub(crate) fn mine(&self) -> &W {
            &self.0
        }

        pub(crate) fn each(&self, mut see: impl FnMut(&W)) {
            see(&self.0);
        }
    }
}
