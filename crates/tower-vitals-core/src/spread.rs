//! A value that many threads hold, and none writes where another reads.
//!
//! Each clone of an `Arc` writes to one count, which threads that clone much fight over. Here each shard of threads has a copy of the
//! value with a count of its own.

use std::{
    array,
    ops::Deref,
    sync::{
        Arc,
        atomic::{Ordering, fence},
    },
};

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

/// The copies of a value, one for each shard of threads: what leads each thread to its own, which is made when the thread comes.
///
/// It is the part of a [`Spread`] that has no clones. Behind an `Arc` it is the handle for what is called much more often than cloned:
/// threads that share a clone are led to copies of their own, too.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use tower_vitals_core::spread::Copies;
///
/// let copies = Arc::new(Copies::new("shared"));
/// let clone = Arc::clone(&copies);
/// let of_other = std::thread::spawn(move || clone.lend().len());
/// assert_eq!((copies.lend().len(), of_other.join().unwrap()), (6, 6));
/// ```
#[derive(Debug)]
pub struct Copies<T> {
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
            holds: Holds::All(Box::new(Copies::new(value))),
        }
    }

    /// A copy, for as long as the result lives: one write to a count.
    #[inline]
    #[must_use]
    pub fn lend(&self) -> Lent<T> {
        match &self.holds {
            Holds::All(copies) => copies.lend(),
            Holds::One(lent) => lent.clone(),
        }
    }
}

impl<T> Spread<T> {
    /// Whether anybody else holds a copy: something that was lent, or a clone. A clone of a `Spread` is lent itself, so there it is always
    /// true.
    ///
    /// Only the first handle makes the first [`Lent`] or clone of a copy. So `false` stays true until somebody lends from or clones this
    /// handle; who keeps others from doing that, by a lock for instance, knows that nobody holds a copy. What the last holder wrote before
    /// it let go is seen by who was told `false`. `true` may be over at once.
    ///
    /// # Cost
    /// A load for each copy, of which there are at most eight. It writes to nothing.
    #[must_use]
    pub fn is_lent(&self) -> bool {
        match &self.holds {
            Holds::All(copies) => copies.is_lent(),
            Holds::One(_) => true,
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
    /// Of a value.
    pub fn new(value: T) -> Self {
        Self {
            first: value,
            of_shards: array::from_fn(|_| OnceLock::new()),
        }
    }

    /// The copy of this thread, for as long as the result lives: one write to a count.
    #[inline]
    #[must_use]
    pub fn lend(&self) -> Lent<T> {
        self.of_this_thread().clone()
    }

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

impl<T> Copies<T> {
    /// Whether anybody holds a copy that was lent, as [`Spread::is_lent`] says it.
    #[must_use]
    pub fn is_lent(&self) -> bool {
        let is_held = |lent: &Lent<T>| Arc::strong_count(&lent.copy) > 1;
        let held = self.of_shards.iter().filter_map(OnceLock::get).any(is_held);
        if !held {
            // The counts were only loaded. Each was lowered by a release, which this makes us follow.
            fence(Ordering::Acquire);
        }
        held
    }
}

impl<T> Deref for Copies<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.first
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
    use std::sync::atomic::AtomicU64;

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
    #[test]
    fn it_is_lent_as_long_as_anybody_holds_a_copy() {
        let spread = Spread::new(());
        assert!(!spread.is_lent(), "nobody came yet");
        let lent = spread.lend();
        let clone = spread.clone();
        assert!(spread.is_lent() && clone.is_lent());
        drop(lent);
        assert!(spread.is_lent(), "the clone lives");
        let of_clone = clone.lend();
        drop(clone);
        assert!(spread.is_lent(), "what the clone lent lives");
        drop(of_clone);
        assert!(!spread.is_lent());
    }

    #[test]
    fn it_is_lent_whatever_thread_holds_a_copy() {
        let spread = Spread::new(());
        drop(spread.lend());
        let of_others: Vec<_> = (0..SHARDS)
            .map(|_| std::thread::scope(|scope| scope.spawn(|| spread.lend()).join().unwrap()))
            .collect();
        for other in of_others {
            assert!(spread.is_lent());
            drop(other);
        }
        assert!(!spread.is_lent());
    }

    #[test]
    fn what_the_last_holder_wrote_is_seen_by_who_finds_nothing_lent() {
        let written = Arc::new(AtomicU64::new(0));
        let spread = Spread::new(Arc::clone(&written));
        for round in 1..=200 {
            let lent = spread.lend();
            let holder = std::thread::spawn(move || lent.store(round, Ordering::Relaxed));
            while spread.is_lent() {
                std::hint::spin_loop();
            }
            assert_eq!(written.load(Ordering::Relaxed), round);
            holder.join().unwrap();
        }
    }
}
