//! Words that several threads add to without sharing a cache line.
//!
//! The first thread that records into a series uses the words that lie in the series itself. A second thread gets a shard of its own,
//! padded to keep clear of its neighbours; there are at most eight, and threads beyond that share one. Every addition is one relaxed
//! atomic instruction, and a reader adds the shards up. Shards outlive the threads that used them, so a sum never falls.

use std::{
    cell::Cell,
    sync::{
        OnceLock,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
};

/// How many shards there may be, the series' own words included.
const SHARDS: u8 = 8;

/// No thread has recorded yet.
const NOBODY: u8 = u8::MAX;

thread_local! {
    /// Which shard this thread uses; `NOBODY` until it first records.
    static SHARD: Cell<u8> = const { Cell::new(NOBODY) };
}

/// Words of the kind `W`, one set for each shard.
#[derive(Debug)]
pub(crate) struct Sharded<W> {
    /// The shard whose words are `own`.
    owner: AtomicU8,
    own: W,
    others: OnceLock<Box<Others<W>>>,
}

/// A place for each shard's words, filled when a thread of that shard comes.
type Others<W> = [OnceLock<Box<Padded<W>>>; SHARDS as usize];

/// A set of words made anew, all zero.
pub(crate) trait Words {
    /// Another set of the same size.
    fn another(&self) -> Self;
}

/// Two cache lines, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Padded<W>(W);

impl<W: Words> Sharded<W> {
    pub(crate) const fn new(own: W) -> Self {
        Self {
            owner: AtomicU8::new(NOBODY),
            own,
            others: OnceLock::new(),
        }
    }

    /// The words that this thread adds to.
    #[inline]
    pub(crate) fn mine(&self) -> &W {
        let shard = this_shard();
        if self.owner.load(Ordering::Relaxed) == shard {
            &self.own
        } else {
            self.claim_or_share(shard)
        }
    }

    #[cold]
    fn claim(&self, shard: u8) -> bool {
        self.owner
            .compare_exchange(NOBODY, shard, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    fn claim_or_share(&self, shard: u8) -> &W {
        if self.owner.load(Ordering::Relaxed) == NOBODY && self.claim(shard) {
            return &self.own;
        }
        if self.owner.load(Ordering::Relaxed) == shard {
            return &self.own;
        }
        let others = self.others.get_or_init(Box::default);
        let other = others[usize::from(shard % SHARDS)].get_or_init(|| Box::new(Padded(self.own.another())));
        &other.0
    }

    /// All sets of words that exist.
    pub(crate) fn all(&self) -> impl Iterator<Item = &W> {
        let others = self.others.get().into_iter().flat_map(|others| others.iter());
        std::iter::once(&self.own).chain(others.filter_map(|other| other.get()).map(|padded| &padded.0))
    }
}

#[inline]
fn this_shard() -> u8 {
    // A thread whose locals are gone already records as shard 0.
    SHARD
        .try_with(|shard| match shard.get() {
            NOBODY => assign(shard),
            known => known,
        })
        .unwrap_or(0)
}

#[cold]
fn assign(shard: &Cell<u8>) -> u8 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    #[allow(clippy::cast_possible_truncation)] // below SHARDS
    let next = (NEXT.fetch_add(1, Ordering::Relaxed) % usize::from(SHARDS)) as u8;
    shard.set(next);
    next
}

impl<const N: usize> Words for [AtomicU64; N] {
    fn another(&self) -> Self {
        [const { AtomicU64::new(0) }; N]
    }
}

impl Words for Box<[AtomicU64]> {
    fn another(&self) -> Self {
        self.iter().map(|_| AtomicU64::new(0)).collect()
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
        sharded.all().map(|words| words[0].load(Ordering::Relaxed)).sum()
    }

    #[test]
    fn the_first_thread_needs_no_shards() {
        let sharded = Sharded::new([AtomicU64::new(0)]);
        for _ in 0..10 {
            sharded.mine()[0].fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!(total(&sharded), 10);
        assert!(sharded.others.get().is_none());
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
        assert!(sharded.all().count() <= usize::from(SHARDS));
    }
}
