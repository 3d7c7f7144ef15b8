//! Numbered slots in segments that never move.

use std::{array, fmt, ops::Deref};

use crate::sync::{Arc, ArcSwapOption, Borrowed, OnceLock};

/// Segment `k` holds `2^k` slots, so 32 segments number everything that 32 bits can name.
const SEGMENTS: usize = 32;

/// Slots for entries, by number. A slot is empty until an entry is stored, and again after it was taken.
pub(super) struct Slots<T> {
    segments: [OnceLock<Box<[ArcSwapOption<T>]>>; SEGMENTS],
}

/// An entry borrowed from a [`Table`](super::Table).
///
/// While an `Entry` lives, its entry stays in the table. It costs no write to memory that threads share; hold it briefly, and take
/// [`hold`](Entry::hold) to keep the entry.
pub struct Entry<T> {
    borrowed: Borrowed<T>,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Self {
            segments: array::from_fn(|_| OnceLock::new()),
        }
    }

    /// The entry in the slot with this number, if there is one.
    pub(super) fn get(&self, number: usize) -> Option<Entry<T>> {
        let (segment, offset) = position(number);
        let slot = self.segments.get(segment)?.get()?.get(offset)?;
        let borrowed = slot.load();
        borrowed.is_some().then(|| Entry { borrowed })
    }

    /// Puts an entry (or nothing) into a slot and returns what was there. Only the table's one writer calls this.
    ///
    /// Afterwards every [`Entry`] to the old entry counts in the `Arc` that is returned: arc-swap settles what its readers borrowed
    /// before a swap returns.
    pub(super) fn replace(&self, number: usize, entry: Option<Arc<T>>) -> Option<Arc<T>> {
        let (segment, offset) = position(number);
        let slots = self
            .segments
            .get(segment)?
            .get_or_init(|| (0..1_usize << segment).map(|_| ArcSwapOption::empty()).collect());
        slots.get(offset)?.swap(entry)
    }
}

/// Which segment a slot is in, and where.
fn position(number: usize) -> (usize, usize) {
    let from_one = number + 1;
    let segment = from_one.ilog2() as usize;
    (segment, from_one - (1 << segment))
}

impl<T> Entry<T> {
    /// Whether somebody holds the entry, by what was seen of that so far. It may say yes of one that is only borrowed.
    pub(crate) fn is_held(this: &Self) -> bool {
        this.borrowed.as_ref().is_some_and(|entry| Arc::strong_count(entry) > 1)
    }

    /// Keeps the entry for as long as the result lives: one write to a reference count.
    #[must_use]
    pub fn hold(&self) -> Arc<T> {
        match &*self.borrowed {
            Some(entry) => Arc::clone(entry),
            None => unreachable!("an Entry is only made from a slot that has an entry"),
        }
    }
}

impl<T> Deref for Entry<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &*self.borrowed {
            Some(entry) => entry,
            None => unreachable!("an Entry is only made from a slot that has an entry"),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Entry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_dense_and_disjoint() {
        let seen: Vec<_> = (0..7).map(position).collect();
        assert_eq!(seen, [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (2, 3)]);
        assert_eq!(position((1 << 31) - 1), (31, 0));
    }

    #[test]
    fn a_replaced_entry_counts_the_refs_that_are_out() {
        let slots = Slots::new();
        slots.replace(3, Some(Arc::new("a")));
        let out = slots.get(3).unwrap();
        let old = slots.replace(3, None).unwrap();
        assert_eq!(Arc::strong_count(&old), 2, "the Entry was settled by the swap");
        drop(out);
        assert_eq!(Arc::strong_count(&old), 1);
        assert!(slots.get(3).is_none());
    }
}
