use std::{fmt, ops::Deref};

// Loom's own atomics do here, because no thread loads a count that others may have loaded before it changes it.
use loom::sync::atomic::{AtomicUsize, Ordering, fence};

/// `std::sync::Arc`, with the orders of memory that `std` has: a count that is looked at may be an old one.
///
/// Loom's own `Arc` always counts, but arc-swap lends an entry without counting it.
pub struct Arc<T> {
    /// Shared with what is lent, so it always has a value to show. It is gone only while `drop` runs.
    value: Option<std::sync::Arc<T>>,
    count: std::sync::Arc<AtomicUsize>,
}

/// An [`Arc`] as a cell remembers it: without keeping it alive.
pub struct Memory<T> {
    value: std::sync::Weak<T>,
    count: std::sync::Arc<AtomicUsize>,
}

impl<T> Arc<T> {
    pub fn new(value: T) -> Self {
        Self {
            value: Some(std::sync::Arc::new(value)),
            count: std::sync::Arc::new(AtomicUsize::new(1)),
        }
    }

    pub fn strong_count(this: &Self) -> usize {
        this.count.load(Ordering::Relaxed)
    }

    pub fn try_unwrap(mut this: Self) -> Result<T, Self> {
        if this
            .count
            .compare_exchange(1, 0, Ordering::Relaxed, Ordering::Relaxed)
            .is_err()
        {
            return Err(this);
        }
        fence(Ordering::Acquire);
        this.value.take().map(end).ok_or(this)
    }

    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        std::ptr::eq(&**this, &**other)
    }

    pub(super) fn remember(&self) -> Memory<T> {
        Memory {
            value: self.value.as_ref().map(std::sync::Arc::downgrade).unwrap_or_default(),
            count: std::sync::Arc::clone(&self.count),
        }
    }

    /// Drops it without taking it off the count.
    pub(super) fn forget(&mut self) {
        self.value = None;
    }
}

impl<T> Memory<T> {
    /// One more `Arc` that is not counted.
    pub(super) fn uncounted(&self) -> Arc<T> {
        Arc {
            value: Some(self.value.upgrade().expect("what is lent was freed")),
            count: std::sync::Arc::clone(&self.count),
        }
    }

    pub(super) fn count(&self) -> &AtomicUsize {
        &self.count
    }
}

/// The value that nothing counts any longer. Whoever still shows it was lent it, and would read freed memory.
fn end<T>(value: std::sync::Arc<T>) -> T {
    std::sync::Arc::into_inner(value).expect("what is freed is lent to somebody")
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        self.count.fetch_add(1, Ordering::Relaxed);
        Self {
            value: self.value.clone(),
            count: std::sync::Arc::clone(&self.count),
        }
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        if self.value.is_none() || self.count.fetch_sub(1, Ordering::Release) > 1 {
            return;
        }
        fence(Ordering::Acquire);
        self.value.take().map(end);
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("nobody looks while it is dropped")
    }
}

impl<T: fmt::Debug> fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
