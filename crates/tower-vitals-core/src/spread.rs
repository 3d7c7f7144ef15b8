//! A value that many threads hold, and none writes where another reads.
//!
//! Each clone of an `Arc` writes to one count, which threads that clone much fight over. Here each shard of threads has a copy of the
//! value with a count of its own.

use std::{array, ops::Deref, sync::Arc};

use crate::{
    sharded::{SHARDS, this_shard},
    sync::OnceLock,
};

/// A handle to a value of which each shard of threads has a copy.
///
/// The handle that is made first keeps the copies and leads each thread to its own, which is made when the thread comes. A clone stays
/// with the copy of the thread that made it, on whatever thread it is used.
///
/// # Example
/// ```
/// use tower_vitals_core::spread::Spread;
///
/// let spread = Spread::new("shared");
/// let lent = spread.lend();
/// assert_eq!(std::thread::spawn(move || lent.len()).join().unwrap(), 6);
/// ```
#[derive(Debug)]
pub struct Spread<T> {
    holds: Holds<T>,
}

#[derive(Debug)]
enum Holds<T> {
    All(Box<Copies<T>>),
    One(Lent<T>),
}

#[derive(Debug)]
struct Copies<T> {
    first: T,
    of_shards: [OnceLock<Lent<T>>; SHARDS as usize],
}

/// What a [`Spread`] lends: a copy that few threads count references to.
#[derive(Debug)]
pub struct Lent<T> {
    copy: Arc<Apart<T>>,
}

/// In cache lines of its own, the count before it included.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

// === impl Spread ===

impl<T: Clone> Spread<T> {
    /// The first handle to a value.
    pub fn new(value: T) -> Self {
        Self {
            holds: Holds::All(Box::new(Copies {
                first: value,
                of_shards: array::from_fn(|_| OnceLock::new()),
            })),
        }
    }

    /// A copy, for as long as the result lives: one write to a count.
    #[inline]
    #[must_use]
    pub fn lend(&self) -> Lent<T> {
        match &self.holds {
            Holds::All(copies) => copies.of_this_thread().clone(),
            Holds::One(lent) => lent.clone(),
        }
    }
}

impl<T: Clone> Clone for Spread<T> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            holds: Holds::One(self.lend()),
        }
    }
}

impl<T> Deref for Spread<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.holds {
            Holds::All(copies) => &copies.first,
            Holds::One(lent) => lent,
        }
    }
}

// === impl Copies ===

impl<T: Clone> Copies<T> {
    #[inline]
    fn of_this_thread(&self) -> &Lent<T> {
        let copy = &self.of_shards[usize::from(this_shard() % SHARDS)];
        match copy.get() {
            Some(lent) => lent,
            None => self.first_of_shard(copy),
        }
    }

    #[cold]
    fn first_of_shard<'a>(&self, copy: &'a OnceLock<Lent<T>>) -> &'a Lent<T> {
        copy.get_or_init(|| Lent {
            copy: Arc::new(Apart(self.first.clone())),
        })
    }
}

// === impl Lent ===

impl<T> Clone for Lent<T> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            copy: Arc::clone(&self.copy),
        }
    }
}

impl<T> Deref for Lent<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.copy.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_lives_as_long_as_anything_of_it_does() {
        let value = Arc::new(());
        let spread = Spread::new(Arc::clone(&value));
        let (lent, clone) = (spread.lend(), spread.clone());
        assert_eq!(Arc::strong_count(&value), 3, "ours, the first and that of this thread");
        drop(spread);
        assert_eq!(Arc::strong_count(&value), 2);
        let again = clone.clone().lend();
        drop((lent, clone));
        assert_eq!(Arc::strong_count(&value), 2);
        drop(again);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn threads_take_from_the_first_handle_what_is_their_own() {
        let spread = Spread::new(());
        let of_this = spread.lend();
        let of_others: Vec<_> = (0..SHARDS)
            .map(|_| std::thread::scope(|scope| scope.spawn(|| spread.lend()).join().unwrap()))
            .collect();
        assert!(of_others.iter().any(|other| !Arc::ptr_eq(&other.copy, &of_this.copy)));
        assert!(Arc::ptr_eq(&spread.clone().lend().copy, &of_this.copy));
    }
}
