//! From a key's hash to the number of its slot.
//!
//! An open-addressed array of atomic words, each with the upper half of a hash (the tag) and the number of a slot. A lookup starts
//! where the tag says and walks on until a word that was never used; only where the tag agrees does the caller compare the key
//! itself. A cleared word does not end the walk.
//!
//! One writer fills and clears words. When half of them are used it makes a larger (or a cleaned) array and publishes that in place
//! of this one; readers that still walk the old array find everything that was in it, and whoever misses there asks again under
//! the writer's mutex.

use crate::sync::atomic::{AtomicU64, Ordering};

/// Never used: the end of a walk.
const EMPTY: u64 = 0;
/// The number of a word whose entry was removed.
const CLEARED: u64 = 0xFFFF_FFFF;
const NUMBER: u64 = 0xFFFF_FFFF;

/// An array of a power of two of words, at least half of which are empty.
#[derive(Debug)]
pub(super) struct Index {
    words: Box<[AtomicU64]>,
}

impl Index {
    /// An index with room for twice as many entries.
    pub(super) fn with_room_for(entries: usize) -> Self {
        let words = (entries * 4).next_power_of_two().max(4);
        Self {
            words: (0..words).map(|_| AtomicU64::new(EMPTY)).collect(),
        }
    }

    /// How many words may be used before a new index is due.
    pub(super) fn room(&self) -> usize {
        self.words.len() / 2
    }

    /// The first slot on the path of `hash` whose tag agrees and which `accept` takes.
    pub(super) fn find<R>(&self, hash: u64, mut accept: impl FnMut(usize) -> Option<R>) -> Option<R> {
        for at in self.path(hash) {
            // Pairs with the release in `insert`: who sees the word sees the slot filled.
            let word = self.words[at].load(Ordering::Acquire);
            if word == EMPTY {
                return None;
            }
            if let Some(number) = slot_of(word, hash) {
                if let Some(found) = accept(number) {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Notes that the key with this hash is in slot `number`. Only the writer calls this, after it filled the slot and while there
    /// is room. Says whether a word was used for the first time.
    pub(super) fn insert(&self, hash: u64, number: usize) -> bool {
        for at in self.path(hash) {
            let word = self.words[at].load(Ordering::Relaxed);
            if word & NUMBER == EMPTY || word & NUMBER == CLEARED {
                self.words[at].store(word_for(hash, number), Ordering::Release);
                return word == EMPTY;
            }
        }
        false
    }

    /// Clears the word of the key with this hash in slot `number`. Only the writer calls this.
    pub(super) fn remove(&self, hash: u64, number: usize) {
        for at in self.path(hash) {
            let word = self.words[at].load(Ordering::Relaxed);
            if word == EMPTY {
                return;
            }
            if word == word_for(hash, number) {
                self.words[at].store(hash & !NUMBER | CLEARED, Ordering::Release);
                return;
            }
        }
    }

    /// The same entries in a new index with room for twice as many.
    pub(super) fn rebuilt(&self, entries: usize) -> Self {
        let fresh = Self::with_room_for(entries);
        for word in &self.words {
            let word = word.load(Ordering::Relaxed);
            if word & NUMBER != EMPTY && word & NUMBER != CLEARED {
                #[allow(clippy::cast_possible_truncation)] // 32 bits
                fresh.insert(word, (word & NUMBER) as usize - 1);
            }
        }
        fresh
    }

    fn path(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let last = self.words.len() - 1;
        #[allow(clippy::cast_possible_truncation)] // 32 bits
        let start = (hash >> 32) as usize;
        (0..=last).map(move |step| (start + step) & last)
    }
}

fn word_for(hash: u64, number: usize) -> u64 {
    hash & !NUMBER | (number as u64 + 1)
}

/// The slot's number in a word whose tag agrees with the hash.
fn slot_of(word: u64, hash: u64) -> Option<usize> {
    let number = word & NUMBER;
    let same_tag = (word ^ hash) >> 32 == 0;
    #[allow(clippy::cast_possible_truncation)] // 32 bits
    (same_tag && number != EMPTY && number != CLEARED).then(|| number as usize - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(index: &Index, hash: u64) -> Vec<usize> {
        let mut seen = Vec::new();
        index.find(hash, |number| -> Option<()> {
            seen.push(number);
            None
        });
        seen
    }

    #[test]
    fn keys_with_one_hash_are_all_found() {
        let index = Index::with_room_for(100);
        for number in 0..100 {
            assert!(index.insert(7 << 32, number));
        }
        assert_eq!(slots(&index, 7 << 32), (0..100).collect::<Vec<_>>());
        index.remove(7 << 32, 50);
        assert_eq!(slots(&index, 7 << 32).len(), 99, "what follows a cleared word is found");
        assert!(!index.insert(7 << 32, 200));
        assert_eq!(slots(&index, 7 << 32)[50], 200, "the cleared word is used again");
    }

    #[test]
    fn a_tag_of_zero_is_not_an_empty_word() {
        let index = Index::with_room_for(1);
        assert!(slots(&index, 0).is_empty());
        index.insert(0, 0);
        assert_eq!(slots(&index, 0), [0]);
        index.remove(0, 0);
        assert!(slots(&index, 0).is_empty());
        index.insert(1 << 34, 9);
        assert_eq!(slots(&index, 1 << 34), [9]);
    }

    #[test]
    fn a_rebuilt_index_forgets_what_was_cleared() {
        let index = Index::with_room_for(8);
        for number in 0..8 {
            index.insert((number as u64) << 32, number);
        }
        index.remove(3 << 32, 3);
        let fresh = index.rebuilt(7);
        assert_eq!((0..8).filter(|n| !slots(&fresh, n << 32).is_empty()).count(), 7);
        let used = fresh
            .words
            .iter()
            .filter(|word| word.load(Ordering::Relaxed) != EMPTY)
            .count();
        assert_eq!(used, 7);
    }
}
