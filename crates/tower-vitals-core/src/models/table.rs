//! What a [`Table`] of series promises to threads that make, find, hold, remove and scrape them.

use std::sync::Arc;

use super::{explore, spawn};
use crate::{
    Counter,
    instrument::Instrument,
    table::{Entry, Table},
};

/// A series of one counter. Where it ends its count is added to what was removed, so that no increment can vanish unnoticed.
struct Series {
    key: u64,
    counter: Counter,
    removed: Arc<std::sync::atomic::AtomicU64>,
}

/// A family, but for its labels.
struct Family {
    table: Table<Series>,
    removed: Arc<std::sync::atomic::AtomicU64>,
}

/// Most series of a family, where that does not matter.
const MANY: usize = 100;

impl Family {
    fn new(keys: &[u64]) -> Arc<Self> {
        let family = Self {
            table: Table::new(),
            removed: Arc::default(),
        };
        for key in keys {
            family.with(*key);
        }
        Arc::new(family)
    }

    fn with(&self, key: u64) -> Entry<Series> {
        self.with_limit(key, MANY).expect("there is room")
    }

    fn with_limit(&self, key: u64, limit: usize) -> Option<Entry<Series>> {
        let make = |_| Series {
            key,
            counter: Counter::new(&()),
            removed: Arc::clone(&self.removed),
        };
        self.table.get_or_insert(hash(key), |series| series.key == key, limit, make)
    }

    fn get(&self, key: u64) -> Option<Entry<Series>> {
        self.table.get(hash(key), |series| series.key == key)
    }

    fn remove(&self, key: u64) -> bool {
        self.table.remove_if(hash(key), |series| series.key == key)
    }

    /// What a scrape shows: the series' keys and counts.
    fn scrape(&self) -> Vec<(u64, u64)> {
        let series = (0..self.table.end()).filter_map(|number| self.table.slot(number));
        series.map(|series| (series.key, series.counter.get())).collect()
    }

    fn sum(&self) -> u64 {
        self.scrape().into_iter().map(|(_, count)| count).sum()
    }

    fn removed(&self) -> u64 {
        self.removed.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Drop for Series {
    fn drop(&mut self) {
        self.removed
            .fetch_add(self.counter.get(), std::sync::atomic::Ordering::Relaxed);
    }
}

/// All keys start at the same word of the index.
fn hash(key: u64) -> u64 {
    key << 40
}

// === making and finding ===

#[test]
fn threads_that_make_one_series_get_the_same() {
    explore(|| {
        let family = Family::new(&[]);
        let other = spawn(&family, |family| family.with(1).counter.inc());
        family.with(1).counter.inc();
        other.join().unwrap();
        assert_eq!(family.scrape(), [(1, 2)]);
        assert_eq!(family.table.len(), 1);
    });
}

#[test]
fn threads_that_make_two_series_get_both() {
    explore(|| {
        let family = Family::new(&[]);
        let other = spawn(&family, |family| family.with(1).counter.inc());
        family.with(2).counter.inc();
        let mut scrape = family.scrape();
        scrape.retain(|(key, _)| *key == 2);
        assert_eq!(scrape, [(2, 1)], "what a thread recorded is in its own scrape, once");
        other.join().unwrap();
        let mut scrape = family.scrape();
        scrape.sort_unstable();
        assert_eq!(scrape, [(1, 1), (2, 1)]);
    });
}

#[test]
fn who_finds_a_new_series_sees_it_in_a_scrape() {
    explore(|| {
        let family = Family::new(&[]);
        let maker = spawn(&family, |family| drop(family.with(1)));
        if let Some(found) = family.get(1) {
            found.counter.inc();
            assert_eq!(family.scrape(), [(1, 1)]);
        }
        maker.join().unwrap();
    });
}

#[test]
fn a_full_table_refuses_nobody_whose_series_is_there() {
    explore(|| {
        let family = Family::new(&[]);
        let other = spawn(&family, |family| family.with_limit(1, 1).is_some());
        assert!(family.with_limit(1, 1).is_some());
        assert!(other.join().unwrap());
        assert!(family.with_limit(2, 1).is_none());
    });
}

#[test]
fn a_series_is_found_while_the_index_is_made_anew() {
    explore(|| {
        let family = Family::new(&[1, 2]);
        // The third entry fills more than half of the four words.
        let maker = spawn(&family, |family| family.with(3).counter.inc());
        family.get(1).expect("it was always there").counter.inc();
        family.get(2).expect("it was always there").counter.inc();
        maker.join().unwrap();
        assert_eq!(family.scrape(), [(1, 1), (2, 1), (3, 1)]);
    });
}

// === removing ===

#[test]
fn a_held_series_is_neither_removed_nor_missed() {
    explore(|| {
        let family = Family::new(&[1]);
        let handle = family.with(1).hold();
        let remover = spawn(&family, |family| [family.remove(1), family.remove(1)]);
        family.with_limit(1, 1).expect("it is there").counter.inc();
        handle.counter.inc();
        assert_eq!(family.scrape(), [(1, 2)]);
        assert_eq!(remover.join().unwrap(), [false, false]);
        assert_eq!(family.removed(), 0);
    });
}

#[test]
fn a_series_that_is_held_once_its_removal_is_tried_is_found_by_its_key() {
    explore(|| {
        let family = Family::new(&[1]);
        let remover = spawn(&family, |family| family.remove(1));
        let handle = family.with(1).hold();
        let found = family.with_limit(1, 1).expect("it is there").hold();
        assert!(crate::sync::Arc::ptr_eq(&handle, &found));
        remover.join().unwrap();
        assert_eq!(family.scrape(), [(1, 0)]);
    });
}

#[test]
fn a_series_that_is_held_once_its_removal_is_tried_is_in_every_scrape() {
    explore(|| {
        let family = Family::new(&[1]);
        let remover = spawn(&family, |family| family.remove(1));
        let handle = family.with(1).hold();
        handle.counter.inc();
        assert_eq!(family.scrape(), [(1, 1)]);
        remover.join().unwrap();
        handle.counter.inc();
        assert_eq!(family.scrape(), [(1, 2)]);
        assert_eq!(family.removed(), 0);
    });
}

#[test]
fn a_series_that_is_borrowed_is_never_removed() {
    explore(|| {
        let family = Family::new(&[1]);
        let remover = spawn(&family, |family| family.remove(1));
        if let Some(borrowed) = family.get(1) {
            borrowed.counter.inc();
            assert_eq!(family.scrape(), [(1, 1)], "what is recorded by a borrower is in its scrape");
        } else {
            assert!(remover.join().unwrap());
            return;
        }
        let removed = u64::from(remover.join().unwrap());
        assert_eq!((family.sum(), family.removed()), (1 - removed, removed));
    });
}

#[test]
fn a_series_that_is_removed_and_comes_back_loses_nothing_that_was_recorded() {
    explore(|| {
        let family = Family::new(&[1]);
        let other = spawn(&family, |family| {
            let removed = family.remove(1);
            family.with(1).counter.inc();
            removed
        });
        family.with(1).counter.inc();
        let removed = other.join().unwrap();
        assert_eq!(family.sum() + family.removed(), 2);
        assert!(removed || family.removed() == 0);
        assert_eq!(family.scrape().len(), 1);
        assert_eq!(family.table.len(), 1);
    });
}

#[test]
fn a_slot_that_is_used_again_is_not_taken_for_its_former_series() {
    explore(|| {
        let family = Family::new(&[1]);
        let replacer = spawn(&family, |family| {
            let removed = family.remove(1);
            family.with(2).counter.inc();
            removed
        });
        family.with(1).counter.inc();
        let removed = replacer.join().unwrap();
        let mut scrape = family.scrape();
        scrape.sort_unstable();
        match (removed, family.removed()) {
            (_, 0) => assert_eq!(scrape, [(1, 1), (2, 1)]),
            (true, 1) => assert_eq!(scrape, [(2, 1)]),
            other => panic!("{other:?}, {scrape:?}"),
        }
    });
}

#[test]
fn a_series_is_found_while_another_leaves_and_the_index_is_made_anew() {
    explore(|| {
        let family = Family::new(&[1, 2]);
        let writer = spawn(&family, |family| {
            assert!(family.remove(1));
            family.with(3).counter.inc();
            family.with(4).counter.inc();
        });
        family.get(2).expect("it was always there").counter.inc();
        writer.join().unwrap();
        let mut scrape = family.scrape();
        scrape.sort_unstable();
        assert_eq!(scrape, [(2, 1), (3, 1), (4, 1)]);
    });
}

#[test]
fn of_two_removals_one_removes() {
    explore(|| {
        let family = Family::new(&[1]);
        let other = spawn(&family, |family| family.remove(1));
        assert!(family.remove(1) != other.join().unwrap());
        assert!(family.table.is_empty());
    });
}

// === scraping ===

#[test]
fn a_sum_never_falls_between_two_scrapes() {
    explore(|| {
        let family = Family::new(&[1]);
        let remover = spawn(&family, |family| family.remove(1));
        let handle = family.with(1).hold();
        let clone = handle.clone();
        let other = spawn(&family, move |_| clone.counter.inc());
        let first = family.sum();
        let second = family.sum();
        assert!(first <= second, "{first} fell to {second}");
        remover.join().unwrap();
        other.join().unwrap();
        assert_eq!(handle.counter.get(), family.sum());
    });
}
