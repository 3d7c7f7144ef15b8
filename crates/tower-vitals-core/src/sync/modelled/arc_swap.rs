//! Stand-ins for arc-swap, which is built of `std`'s atomics, so loom cannot see into it.
//!
//! What is assumed of arc-swap, and not checked:
//!
//! 1. Who loads a value sees what was done before it was stored, and a swap sees what was done by whoever gave back what it had lent.
//! 2. A load may be late: it may give what was there before a swap that nothing the loading thread has seen comes after.
//! 3. What a load lends lives until it is given back, though it is not counted.
//! 4. When a swap returns, everything lent of the old value is counted in the `Arc` that it returns, and nothing more is lent of it.
//!
//! By 2 and 4 together a late load gives an old value only if the swap saw the loan. So an [`ArcSwapOption`] here gives what is gone only
//! until its loans are counted. That it is still empty, though, it may say late, and so may an [`ArcSwap`], whose counts nobody looks at,
//! give what it had before.

use std::{
    ops::Deref,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    arc::{Arc, Memory},
    atomic::{AtomicUsize, Ordering},
};

// === ArcSwap ===

/// A cell that always has a value, and keeps all it ever had.
pub struct ArcSwap<T> {
    newest: AtomicUsize,
    values: Mutex<Vec<Arc<T>>>,
}

/// What an [`ArcSwap`] lends.
pub struct Loaded<T>(Arc<T>);

impl<T> ArcSwap<T> {
    pub fn from_pointee(value: T) -> Self {
        Self {
            newest: AtomicUsize::new(0),
            values: Mutex::new(vec![Arc::new(value)]),
        }
    }

    pub fn load(&self) -> Loaded<T> {
        let number = self.newest.load(Ordering::Acquire);
        Loaded(unseen(&self.values)[number].remember().uncounted())
    }

    pub fn load_full(&self) -> Arc<T> {
        Arc::clone(&self.load().0)
    }

    pub fn store(&self, value: Arc<T>) {
        let number = {
            let mut values = unseen(&self.values);
            values.push(value);
            values.len() - 1
        };
        self.newest.swap(number, Ordering::AcqRel);
    }
}

impl<T> Deref for Loaded<T> {
    type Target = Arc<T>;

    fn deref(&self) -> &Arc<T> {
        &self.0
    }
}

impl<T> Drop for Loaded<T> {
    fn drop(&mut self) {
        self.0.forget();
    }
}

// === ArcSwapOption ===

/// A cell that may be empty.
pub struct ArcSwapOption<T> {
    newest: AtomicUsize,
    /// Whatever was there at some time.
    values: Mutex<Vec<Option<std::sync::Arc<Value<T>>>>>,
    now: Mutex<Option<Arc<T>>>,
}

/// What an [`ArcSwapOption`] lends.
pub struct Borrowed<T> {
    value: Option<Arc<T>>,
    of: Option<std::sync::Arc<Value<T>>>,
}

struct Value<T> {
    memory: Memory<T>,
    /// How many borrow it, and `COUNTED` once the `Arc` counts them.
    loans: loom::sync::atomic::AtomicUsize, // never only loaded
}

const COUNTED: usize = 1 << 16;

/// More than there are loans.
const MANY: usize = 1 << 16;

impl<T> ArcSwapOption<T> {
    pub fn empty() -> Self {
        Self {
            newest: AtomicUsize::new(0),
            values: Mutex::new(vec![None]),
            now: Mutex::new(None),
        }
    }

    pub fn load(&self) -> Borrowed<T> {
        loop {
            let number = self.newest.load(Ordering::Acquire);
            let Some(of) = unseen(&self.values)[number].clone() else {
                return Borrowed { value: None, of: None };
            };
            // Who comes too late sees what came instead.
            if of.loans.fetch_add(1, Ordering::Acquire) < COUNTED {
                let value = Some(of.memory.uncounted());
                return Borrowed { value, of: Some(of) };
            }
        }
    }

    /// One swaps at a time.
    pub fn swap(&self, new: Option<Arc<T>>) -> Option<Arc<T>> {
        let (number, old) = {
            let mut values = unseen(&self.values);
            let old = values.last().cloned().flatten();
            values.push(new.as_ref().map(Value::new));
            (values.len() - 1, old)
        };
        self.newest.swap(number, Ordering::AcqRel);
        if let Some(old) = old {
            // Who gives back before the count is right must not be the last.
            old.memory.count().fetch_add(MANY, Ordering::Relaxed);
            let loans = old.loans.fetch_add(COUNTED, Ordering::AcqRel);
            old.memory.count().fetch_sub(MANY - loans, Ordering::Relaxed);
        }
        std::mem::replace(&mut unseen(&self.now), new)
    }
}

impl<T> Value<T> {
    fn new(value: &Arc<T>) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self {
            memory: value.remember(),
            loans: loom::sync::atomic::AtomicUsize::new(0),
        })
    }
}

impl<T> Deref for Borrowed<T> {
    type Target = Option<Arc<T>>;

    fn deref(&self) -> &Option<Arc<T>> {
        &self.value
    }
}

impl<T> Drop for Borrowed<T> {
    fn drop(&mut self) {
        let (Some(value), Some(of)) = (&mut self.value, &self.of) else {
            return;
        };
        // Once it is counted, it is taken off the count when the value is dropped, next.
        if of.loans.fetch_sub(1, Ordering::AcqRel) < COUNTED {
            value.forget();
        }
    }
}

/// What loom does not see, because no thread stops while it has it.
fn unseen<T>(values: &Mutex<T>) -> MutexGuard<'_, T> {
    values.lock().unwrap_or_else(PoisonError::into_inner)
}
