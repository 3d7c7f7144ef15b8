use std::fmt;

use super::{
    Mutex,
    atomic::{AtomicU8, Ordering},
};

/// `std::sync::OnceLock`: who sees the value sees all that was done to make it.
pub struct OnceLock<T> {
    is_there: AtomicU8,
    making: Mutex<()>,
    /// Loom does not see this one. It is read after `is_there`, or under the mutex.
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub fn new() -> Self {
        Self {
            is_there: AtomicU8::new(0),
            making: Mutex::new(()),
            value: std::sync::OnceLock::new(),
        }
    }

    pub fn get(&self) -> Option<&T> {
        if self.is_there.load(Ordering::Acquire) == 1 {
            self.value.get()
        } else {
            None
        }
    }

    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let _making = self.making.lock();
        let value = self.value.get_or_init(make);
        self.is_there.store(1, Ordering::Release);
        value
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
