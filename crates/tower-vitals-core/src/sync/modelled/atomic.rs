//! Loom's atomics, each with a second one beside it.
//!
//! To find the orders that are worth a run, loom remembers one access to an atomic, the last. So it misses that a load of one thread
//! could come after a store of another, where the other loads before it stores, as our writers do. Each access here first swaps a
//! word that stands for the atomic: loom sees that any two accesses can change places. That swap is relaxed, so it orders nothing.

pub use loom::sync::atomic::{Ordering, fence};

macro_rules! atomics {
    ($($name:ident: $value:ty),*) => {$(
        #[derive(Debug)]
        pub struct $name {
            word: loom::sync::atomic::$name,
            turn: loom::sync::atomic::AtomicBool,
        }

        #[allow(dead_code)] // not each is used in each way
        impl $name {
            pub fn new(value: $value) -> Self {
                Self {
                    word: loom::sync::atomic::$name::new(value),
                    turn: loom::sync::atomic::AtomicBool::new(false),
                }
            }

            pub fn load(&self, order: Ordering) -> $value {
                self.turn().load(order)
            }

            pub fn store(&self, value: $value, order: Ordering) {
                self.turn().store(value, order);
            }

            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.turn().swap(value, order)
            }

            pub fn fetch_add(&self, more: $value, order: Ordering) -> $value {
                self.turn().fetch_add(more, order)
            }

            pub fn fetch_sub(&self, less: $value, order: Ordering) -> $value {
                self.turn().fetch_sub(less, order)
            }

            pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                self.turn().fetch_max(value, order)
            }

            pub fn compare_exchange(
                &self,
                now: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.turn().compare_exchange(now, new, success, failure)
            }

            /// Fails only where it must.
            pub fn compare_exchange_weak(
                &self,
                now: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(now, new, success, failure)
            }

            pub fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                mut change: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut now = self.load(failure);
                while let Some(new) = change(now) {
                    match self.compare_exchange(now, new, success, failure) {
                        Ok(old) => return Ok(old),
                        Err(other) => now = other,
                    }
                }
                Err(now)
            }

            fn turn(&self) -> &loom::sync::atomic::$name {
                self.turn.swap(true, Ordering::Relaxed);
                &self.word
            }
        }
    )*};
}

atomics!(AtomicU8: u8, AtomicU64: u64, AtomicI64: i64, AtomicUsize: usize);
