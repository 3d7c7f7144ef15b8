//! What families that expire promise to threads that use their series and their budgets.

use std::sync::Arc;

use super::{explore, spawn};
use crate::{
    Counter,
    budget::{Budget, Known},
    idle::LastUse,
    instrument::Instrument,
    table::{Entry, Table},
};

/// A series of one counter, with what it keeps to expire.
struct Series {
    counter: Counter,
    last_use: LastUse,
    known: Known,
    removed: Arc<std::sync::atomic::AtomicU64>,
}

impl Drop for Series {
    fn drop(&mut self) {
        let count = self.counter.get();
        self.removed.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
    }
}

/// A family of at most one series, whose budget has room for one value.
struct Family {
    table: Table<Series>,
    budget: Budget,
    removed: Arc<std::sync::atomic::AtomicU64>,
}

const VALUE: &str = "a";
const HASH: u64 = 1 << 40;

/// Series are over when they were not used for so long.
const PERIOD: u64 = 100;

impl Family {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            table: Table::new(),
            budget: Budget::new(1, None),
            removed: Arc::default(),
        })
    }

    /// As a family does it: found, or let in by the budget and made; and used in any case.
    fn with(&self, now: u64) -> Entry<Series> {
        let found = self.table.get(HASH, |_| true);
        let series = found.or_else(|| {
            let known = self.budget.admit(VALUE)?.hold();
            let make = |_| Series {
                counter: Counter::new(&()),
                last_use: LastUse::new(now),
                known,
                removed: Arc::clone(&self.removed),
            };
            self.table.get_or_insert(HASH, |_| true, usize::MAX, make)
        });
        let series = series.expect("there is room for its value");
        series.last_use.touch(now, 1);
        series
    }

    fn expire(&self, now: u64) -> bool {
        let is_over = |series: &Series| series.last_use.is_older_than(PERIOD, now);
        if self.table.slot(0).is_none_or(|series| Entry::is_held(&series)) {
            return false;
        }
        let taken = self.table.take_slot(0, |_| HASH, is_over);
        taken.map(|series| self.forget(series)).is_some()
    }

    fn forget(&self, series: Series) {
        drop(series);
        self.budget.forget(VALUE);
    }

    fn count(&self) -> Option<u64> {
        self.table.slot(0).map(|series| series.counter.get())
    }

    fn removed(&self) -> u64 {
        self.removed.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Whether the budget knows the value if and only if a series has it.
    fn is_settled(&self) -> bool {
        let known = self.table.slot(0).map(|series| crate::sync::Arc::clone(&series.known));
        let admitted = self.budget.admit("another").is_some();
        known.is_some() != admitted
    }
}

#[test]
fn what_is_recorded_when_a_series_is_about_to_go_is_not_lost() {
    explore(|| {
        let family = Family::new();
        drop(family.with(0));
        let expirer = spawn(&family, |family| family.expire(PERIOD));
        family.with(PERIOD).counter.inc();
        assert_eq!(family.count(), Some(1));
        expirer.join().unwrap();
        assert_eq!((family.count(), family.removed()), (Some(1), 0));
        assert!(family.is_settled());
    });
}

#[test]
fn a_series_that_is_held_when_it_is_over_stays() {
    explore(|| {
        let family = Family::new();
        let handle = family.with(0).hold();
        let expirer = spawn(&family, |family| [family.expire(PERIOD), family.expire(PERIOD)]);
        handle.counter.inc();
        assert_eq!(family.count(), Some(1));
        assert_eq!(expirer.join().unwrap(), [false, false]);
        assert!(family.is_settled());
    });
}

#[test]
fn a_series_goes_once_however_many_look() {
    explore(|| {
        let family = Family::new();
        drop(family.with(0));
        let other = spawn(&family, |family| family.expire(PERIOD));
        let mine = family.expire(PERIOD);
        let theirs = other.join().unwrap();
        // Each may keep the other from it for this time.
        assert!(!(mine && theirs));
        assert!(family.expire(PERIOD) || mine || theirs);
        assert!(family.is_settled() && family.table.is_empty());
    });
}

#[test]
fn a_value_is_known_as_long_as_a_series_has_it() {
    explore(|| {
        let family = Family::new();
        drop(family.with(0));
        let remover = spawn(&family, |family| {
            let taken = family.table.take_if(HASH, |_| true);
            taken.map(|series| family.forget(series)).is_some()
        });
        let handle = family.with(0).hold();
        handle.counter.inc();
        remover.join().unwrap();
        assert_eq!(family.count(), Some(1));
        assert!(family.is_settled(), "a series has it");
    });
}

#[test]
fn a_value_is_not_forgotten_while_a_series_is_made_for_it() {
    explore(|| {
        let family = Family::new();
        drop(family.budget.admit(VALUE));
        let sweeper = spawn(&family, |family| family.budget.forget_unused());
        family.with(0).counter.inc();
        sweeper.join().unwrap();
        assert!(family.is_settled());
        assert!(family.expire(PERIOD) && family.is_settled());
    });
}
