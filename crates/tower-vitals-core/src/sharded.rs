//! Words that several threads add to without sharing a cache line.
//!
//! As long as threads of one shard alone (mostly a single thread) record into a series, they use the words that lie in the series
//! itself. When another one comes, all move to shards: words apart from the series and padded to keep clear of their neighbours, so that
//! what the threads read to get there is never written again. There are at most eight shards, and threads beyond that share them. Every
//! addition is one relaxed atomic instruction, and a reader adds all words up, those in the series included. Words outlive the threads
//! that used them, so a sum never falls.
//!
//! That nothing is lost and no sum falls while threads come and go is checked by the models in `crate::models::instruments`, which loom
//! runs through every order of threads and memory within a bound. Of `std` they assume what it documents.

use std::{array, cell::Cell};

use crate::sync::{
    OnceLock,
    atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    global, thread_local,
};

/// How many shards there may be. Models have few threads, so they make do with two shards to have some that are shared.
pub(crate) const SHARDS: u8 = if cfg!(all(test, loom)) { 2 } else { 8 };

/// No thread has recorded yet.
const NOBODY: u8 = u8::MAX;

/// Threads of more than one shard have.
const SEVERAL: u8 = u8::MAX - 1;

/// The thread has not recorded yet.
const NONE: u8 = u8::MAX - 2;

thread_local! {
    /// Which shard this thread uses; `NONE` until it first records.
    static SHARD: Cell<u8> = const { Cell::new(NONE) };
}

/// Words of the kind `W`, one set for each shard of threads: for counts that threads make apart and a reader adds up.
///
/// # Example
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use tower_vitals_core::sharded::{Sharded, Words};
///
/// #[derive(Default)]
/// struct Calls {
///     good: AtomicU64,
///     bad: AtomicU64,
/// }
///
/// impl Words for Calls {
///     fn another(&self) -> Self {
///         Self::default()
///     }
/// }
///
/// let calls = Sharded::new(Calls::default());
/// calls.mine().good.fetch_add(1, Ordering::Relaxed);
/// std::thread::scope(|scope| {
///     scope.spawn(|| calls.mine().bad.fetch_add(1, Ordering::Relaxed));
/// });
/// let mut all = 0;
/// calls.each(|words| all += words.good.load(Ordering::Relaxed) + words.bad.load(Ordering::Relaxed));
/// assert_eq!(all, 2);
/// ```
#[derive(Debug)]
pub struct Sharded<W> {
    /// The one shard whose threads use `own`, or `NOBODY`, or `SEVERAL`.
    user: AtomicU8,
    own: W,
    shards: OnceLock<Box<Shards<W>>>,
}

/// A place for each shard's words, filled when a thread of that shard comes.
type Shards<W> = [OnceLock<Box<Padded<W>>>; SHARDS as usize];

/// A set of words that can be made anew, all zero.
pub trait Words {
    /// Another set for a shard: of the shape of this one, but all zero, so that it adds nothing to the sum.
    fn another(&self) -> Self;
}

/// Two cache lines, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Padded<W>(W);

impl<W: Words> Sharded<W> {
    /// Begins with one set of words, which threads of the first shard that comes use as long as they are alone.
    pub fn new(own: W) -> Self {
        Self {
            user: AtomicU8::new(NOBODY),
            own,
            shards: OnceLock::new(),
        }
    }

    /// The words that this thread adds to, atomically, since threads of the same shard share them. Ask each time: which words these are
    /// changes when a second thread comes.
    ///
    /// # Cost
    /// Two loads that nobody writes to meanwhile, or a few more once several threads came. When a shard comes first its words are
    /// allocated.
    #[inline]
    pub fn mine(&self) -> &W {
        // A thread that has none yet is the user of no words, so there is no need to ask.
        if self.user.load(Ordering::Relaxed) == known_shard() {
            &self.own
        } else {
            self.of_shard(this_shard())
        }
    }

    #[inline(never)]
    fn of_shard(&self, shard: u8) -> &W {
        let shards = match self.shards.get() {
            Some(shards) => shards,
            None if self.claim(shard) => return &self.own,
            None => self.share(),
        };
        let words = shards[usize::from(shard % SHARDS)].get_or_init(|| Box::new(Padded(self.own.another())));
        &words.0
    }

    /// Takes the series' own words for the first thread that comes.
    fn claim(&self, shard: u8) -> bool {
        let claimed = self
            .user
            .compare_exchange(NOBODY, shard, Ordering::Relaxed, Ordering::Relaxed);
        claimed.is_ok()
    }

    /// Sends everybody to the shards. A thread that has just looked may still add to `own` once, which counts like any other word.
    #[cold]
    fn share(&self) -> &Shards<W> {
        let shards = self.shards.get_or_init(Box::default);
        self.user.store(SEVERAL, Ordering::Relaxed);
        shards
    }

    /// All sets of words that exist, at most one more than there are shards. What is added meanwhile may be seen or not.
    #[inline]
    pub fn each(&self, mut f: impl FnMut(&W)) {
        f(&self.own);
        if let Some(shards) = self.shards.get() {
            shards.iter().filter_map(OnceLock::get).for_each(|words| f(&words.0));
        }
    }
}

/// Which shard this thread uses, always the same.
#[inline]
pub(crate) fn this_shard() -> u8 {
    match known_shard() {
        NONE => assign(),
        known => known,
    }
}

#[inline]
fn known_shard() -> u8 {
    // A thread whose locals are gone already records as shard 0.
    SHARD.try_with(Cell::get).unwrap_or(0)
}

#[cold]
fn assign() -> u8 {
    global! { static NEXT: AtomicUsize = AtomicUsize::new(0); }
    #[allow(clippy::cast_possible_truncation)] // below SHARDS
    let next = (NEXT.fetch_add(1, Ordering::Relaxed) % usize::from(SHARDS)) as u8;
    let _ = SHARD.try_with(|shard| shard.set(next));
    next
}

impl<const N: usize> Sharded<[AtomicU64; N]> {
    /// What one of the words comes to.
    #[inline]
    pub(crate) fn sum(&self, word: usize) -> u64 {
        let mut sum = 0_u64;
        self.each(|words| sum = sum.wrapping_add(words[word].load(Ordering::Relaxed)));
        sum
    }
}

impl<const N: usize> Words for [AtomicU64; N] {
    fn another(&self) -> Self {
        array::from_fn(|_| AtomicU64::new(0))
    }
}

/// Adds to a float that is kept as its bits.
pub(crate) fn add_float(word: &AtomicU64, more: f64) {
    let mut bits = word.load(Ordering::Relaxed);
    loop {
        let sum = (f64::from_bits(bits) + more).to_bits();
        match word.compare_exchange_weak(bits, sum, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => bits = now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(sharded: &Sharded<[AtomicU64; 1]>) -> u64 {
        sharded.sum(0)
    }

    #[test]
    fn the_first_thread_needs_no_shards() {
        let sharded = Sharded::new([AtomicU64::new(0)]);
        for _ in 0..10 {
            sharded.mine()[0].fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!(total(&sharded), 10);
        assert!(sharded.shards.get().is_none());
    }

    #[test]
    fn the_words_of_the_series_stand_still_once_two_threads_came() {
        let sharded = Sharded::new([AtomicU64::new(0)]);
        let add = || sharded.mine()[0].fetch_add(1, Ordering::Relaxed);
        add();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The next thread may have the first one's shard, if seven others came between.
                let first = sharded.user.load(Ordering::Relaxed);
                while this_shard() == first {
                    SHARD.with(|shard| shard.set(NONE));
                }
                add();
            });
        });
        add();
        assert_eq!(sharded.own[0].load(Ordering::Relaxed), 1);
        assert_eq!(total(&sharded), 3);
    }

    #[test]
    fn threads_that_come_and_go_lose_nothing() {
        let sharded = Sharded::new([AtomicU64::new(0)]);
        let mut before = 0;
        for _ in 0..30 {
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        for _ in 0..100 {
                            sharded.mine()[0].fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            let now = total(&sharded);
            assert_eq!(now, before + 300);
            before = now;
        }
        let mut sets = 0;
        sharded.each(|_| sets += 1);
        assert!(sets <= usize::from(SHARDS) + 1);
    }
}
