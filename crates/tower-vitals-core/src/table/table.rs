use std::{fmt, sync::PoisonError};

use super::{
    index::Index,
    slots::{Entry, Slots},
};
use crate::sync::{
    Arc, ArcSwap, Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// More entries than any table may hold, because the index names slots with 32 bits.
const MOST: usize = u32::MAX as usize - 1;

/// Entries found by hash and key, walked by number, read without locks.
///
/// The table keeps no keys: an entry knows its own, and each call says how to recognise it.
///
/// # Example
/// ```
/// use tower_vitals_core::table::Table;
///
/// let table = Table::new();
/// let entry = table.get_or_insert(42, |known: &(u64, &str)| known.0 == 42, 10, |_| (42, "answer"));
/// assert_eq!(entry.unwrap().1, "answer");
/// assert!(table.get(42, |known| known.0 == 42).is_some());
/// ```
pub struct Table<T> {
    slots: Slots<T>,
    index: ArcSwap<Index>,
    /// Slots below this number were filled at some time.
    end: AtomicUsize,
    len: AtomicUsize,
    /// Odd while a removal is tried: a slot may be empty then whose entry comes back.
    removals: AtomicUsize,
    writer: Mutex<Writer>,
}

/// What only a writer needs.
#[derive(Default)]
struct Writer {
    /// Slots below `end` that are empty.
    free: Vec<usize>,
    /// Words of the index that are not empty, cleared ones included.
    used: usize,
}

impl<T> Table<T> {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: Slots::new(),
            index: ArcSwap::from_pointee(Index::with_room_for(1)),
            end: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            removals: AtomicUsize::new(0),
            writer: Mutex::default(),
        }
    }

    /// The entry with this hash that `is` recognises. Takes no lock, unless it is missed while a removal is tried.
    pub fn get(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<Entry<T>> {
        self.settled(|| self.find(hash, &is))
    }

    fn find(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<Entry<T>> {
        let index = self.index.load();
        index.find(hash, |number| self.slots.get(number).filter(|entry| is(entry)))
    }

    /// Looks, and looks again when a removal that was tried meanwhile may have hidden what is there.
    ///
    /// Who sees a slot that a removal emptied also sees its first count, so an unchanged even count says that nothing was hidden.
    // Left to the compiler, a scrape's walk calls it for each series or not, depending on what else of a family asks for slots.
    #[inline(always)]
    fn settled(&self, look: impl Fn() -> Option<Entry<T>>) -> Option<Entry<T>> {
        let before = self.removals.load(Ordering::Acquire);
        let found = look();
        if found.is_some() || (before % 2 == 0 && self.removals.load(Ordering::Acquire) == before) {
            return found;
        }
        let _settled = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        look()
    }

    /// The entry with this hash that `is` recognises, or a new one made by `make`, which is given its slot's number. `None` when the table has `limit` entries already.
    ///
    /// A new entry takes the writers' mutex while `make` runs; `make` must not use this table.
    pub fn get_or_insert(
        &self,
        hash: u64,
        is: impl Fn(&T) -> bool,
        limit: usize,
        make: impl FnOnce(usize) -> T,
    ) -> Option<Entry<T>> {
        if let Some(found) = self.get(hash, &is) {
            return Some(found);
        }
        let limit = limit.min(MOST);
        if self.len.load(Ordering::Acquire) >= limit {
            // No mutex for a full table, which is what an attack makes of it. The last entry may have come since the look above; it
            // is in the index before it counts.
            return self.get(hash, &is);
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Another writer may have been faster.
        if let Some(found) = self.find(hash, &is) {
            return Some(found);
        }
        let len = self.len.load(Ordering::Relaxed);
        if len >= limit {
            return None;
        }
        let end = self.end.load(Ordering::Relaxed);
        let number = writer.free.last().copied().unwrap_or(end);
        let entry = make(number);
        self.slots.replace(number, Some(Arc::new(entry)));
        if number == end {
            self.end.store(end + 1, Ordering::Release);
        } else {
            writer.free.pop();
        }
        self.note(&mut writer, hash, number);
        self.len.store(len + 1, Ordering::Release);
        self.slots.get(number)
    }

    /// Takes out the entry with this hash that `is` recognises, unless somebody holds it. Says whether it was taken out.
    pub fn remove_if(&self, hash: u64, is: impl Fn(&T) -> bool) -> bool {
        self.take_if(hash, is).is_some()
    }

    /// Takes out the entry with this hash that `is` recognises, unless somebody holds it.
    pub fn take_if(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<T> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, entry) = self.index.load().find(hash, |number| {
            let entry = self.slots.get(number).filter(|entry| is(entry))?;
            Some((number, entry.hold()))
        })?;
        self.take(&mut writer, (hash, number), entry, |_| true)
    }

    /// Takes out the entry in the slot with this number if `may` agrees, unless somebody holds it. `hash` says again under which hash
    /// it was inserted.
    ///
    /// `may` is asked once more when nobody else can reach the entry, so that it sees what the last who did has left.
    pub fn take_slot(&self, number: usize, hash: impl Fn(&T) -> u64, may: impl Fn(&T) -> bool) -> Option<T> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = self.slots.get(number).filter(|entry| may(entry))?.hold();
        let hash = hash(&entry);
        self.take(&mut writer, (hash, number), entry, may)
    }

    /// Takes out an entry that was found in a slot, unless somebody holds it or `may` does not agree in the end.
    fn take(&self, writer: &mut Writer, (hash, number): (u64, usize), entry: Arc<T>, may: impl Fn(&T) -> bool) -> Option<T> {
        // The slot gets the same entry again, which settles what was borrowed: the count tells who is there besides slot and us.
        self.slots.replace(number, Some(Arc::clone(&entry)));
        if Arc::strong_count(&entry) > 2 {
            return None;
        }
        drop(entry);
        // Nobody was. Somebody may have come since, so the slot is emptied first, and what was there decides.
        self.removals.fetch_add(1, Ordering::AcqRel);
        let taken = match self.slots.replace(number, None).map(Arc::try_unwrap) {
            Some(Ok(entry)) if may(&entry) => Ok(entry),
            Some(Ok(entry)) => Err(Some(Arc::new(entry))),
            Some(Err(held)) => Err(Some(held)),
            None => Err(None),
        };
        let taken = taken.map_err(|stays| self.slots.replace(number, stays)).ok();
        if taken.is_some() {
            self.index.load().remove(hash, number);
            // Who sees by the count below that the entry went must see its room, too.
            self.len.fetch_sub(1, Ordering::Relaxed);
            writer.free.push(number);
        }
        self.removals.fetch_add(1, Ordering::Release);
        taken
    }

    /// Puts a new entry into the index, and makes that anew when it is half full.
    fn note(&self, writer: &mut Writer, hash: u64, number: usize) {
        let mut index = self.index.load_full();
        if writer.used >= index.room() {
            let entries = self.len();
            index = Arc::new(index.rebuilt(entries + 1));
            writer.used = entries;
            self.index.store(Arc::clone(&index));
        }
        if index.insert(hash, number) {
            writer.used += 1;
        }
    }

    /// The entry in the slot with this number. Slots are numbered from 0 to [`end`](Self::end) in the order in which they were
    /// first filled.
    pub fn slot(&self, number: usize) -> Option<Entry<T>> {
        self.settled(|| self.slots.get(number))
    }

    /// One more than the highest slot that was ever filled.
    pub fn end(&self) -> usize {
        self.end.load(Ordering::Acquire)
    }

    /// How many entries the table holds.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether the table holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(table: &Table<(u64, usize)>, key: u64, limit: usize) -> Option<usize> {
        table
            .get_or_insert(key, |e| e.0 == key, limit, |slot| (key, slot))
            .map(|e| e.1)
    }

    #[test]
    fn one_entry_a_key_in_the_order_of_coming() {
        let table = Table::new();
        for key in [9, 5, 9, 7] {
            insert(&table, key, 10).unwrap();
        }
        let walked: Vec<_> = (0..table.end()).filter_map(|n| table.slot(n)).map(|e| e.0).collect();
        assert_eq!(walked, [9, 5, 7]);
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn the_limit_refuses_the_new_and_keeps_the_old() {
        let table = Table::new();
        assert!(insert(&table, 1, 1).is_some());
        assert!(insert(&table, 2, 1).is_none());
        assert!(insert(&table, 1, 1).is_some());
    }

    #[test]
    fn a_held_entry_stays() {
        let table = Table::new();
        insert(&table, 1, 10).unwrap();
        let held = table.get(1, |e| e.0 == 1).unwrap().hold();
        assert!(!table.remove_if(1, |e| e.0 == 1));
        drop(held);
        let borrowed = table.get(1, |e| e.0 == 1).unwrap();
        assert!(!table.remove_if(1, |e| e.0 == 1));
        assert_eq!(table.slot(0).unwrap().0, 1, "what is borrowed was put back");
        drop(borrowed);
        assert!(table.remove_if(1, |e| e.0 == 1));
        assert!(table.get(1, |e| e.0 == 1).is_none());
        assert_eq!(insert(&table, 2, 10), Some(0), "the slot is used again");
    }

    #[test]
    fn who_misses_while_a_removal_is_tried_waits_for_its_end() {
        let table = Table::new();
        insert(&table, 1, 1).unwrap();
        let started = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let writer = table.writer.lock().unwrap();
            table.removals.fetch_add(1, Ordering::AcqRel);
            let entry = table.slots.replace(0, None);
            // The table is full, so without waiting the key would be refused, and the walk would pass over its slot.
            let lookers = [true, false].map(|by_key| {
                let (table, started) = (&table, &started);
                scope.spawn(move || {
                    started.fetch_add(1, Ordering::Relaxed);
                    if by_key {
                        insert(table, 1, 1)
                    } else {
                        table.slot(0).map(|entry| entry.1)
                    }
                })
            });
            while started.load(Ordering::Relaxed) < 2 {
                std::thread::yield_now();
            }
            for _ in 0..1_000 {
                std::thread::yield_now();
            }
            table.slots.replace(0, entry);
            table.removals.fetch_add(1, Ordering::Release);
            drop(writer);
            for looker in lookers {
                assert_eq!(looker.join().unwrap(), Some(0));
            }
        });
    }

    #[test]
    fn threads_that_insert_and_remove_agree() {
        let table = Table::new();
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..20_000_u64 {
                        let key = (round * 7 + thread) % 64;
                        let entry = table.get_or_insert(key, |e: &(u64, usize)| e.0 == key, 64, |slot| (key, slot));
                        assert_eq!(entry.map(|e| e.0), Some(key));
                        if round % 3 == 0 {
                            table.remove_if(key, |e| e.0 == key);
                        }
                    }
                });
            }
        });
        let walked = (0..table.end()).filter(|n| table.slot(*n).is_some()).count();
        assert_eq!(walked, table.len());
        assert!(table.end() <= 64);
    }
}
