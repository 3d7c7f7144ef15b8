//! Who waits for a breaker to let calls through again.

use std::{collections::BTreeMap, sync::PoisonError, task::Waker};

use crate::sync::{Mutex, MutexGuard};

/// Tasks that wait, each in a place of its own that it leaves when it waits no more.
#[derive(Debug)]
pub(crate) struct Waiters {
    places: Mutex<Places>,
}

#[derive(Debug)]
struct Places {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiters {
    pub(crate) fn new() -> Self {
        Self {
            places: Mutex::new(Places {
                next: 0,
                wakers: BTreeMap::new(),
            }),
        }
    }

    /// A place for one that is going to wait.
    pub(crate) fn place(&self) -> u64 {
        let mut places = self.places();
        places.next += 1;
        places.next
    }

    /// Has a task woken when the breaker changes next, instead of the one that waited in this place before.
    pub(crate) fn wait(&self, place: u64, waker: &Waker) {
        let mut places = self.places();
        let was = match places.wakers.get(&place) {
            Some(known) if known.will_wake(waker) => None,
            _ => places.wakers.insert(place, waker.clone()),
        };
        drop(places);
        // What a waker does when it is dropped is not ours, so it does it without the lock.
        drop(was);
    }

    /// The one in this place waits no more.
    pub(crate) fn leave(&self, place: u64) {
        let was = self.places().wakers.remove(&place);
        drop(was);
    }

    /// Wakes all. They look for themselves, and wait again if they must.
    pub(crate) fn wake(&self) {
        let wakers = std::mem::take(&mut self.places().wakers);
        wakers.into_values().for_each(Waker::wake);
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_place_holds_one_waker_until_it_is_left_or_woken() {
        let waiters = Waiters::new();
        let counts = [(); 3].map(|()| Arc::<Count>::default());
        let [first, second, third] = counts.clone().map(Waker::from);
        let (one, other) = (waiters.place(), waiters.place());
        waiters.wait(one, &first);
        waiters.wait(one, &second);
        waiters.wait(other, &third);
        waiters.leave(other);
        waiters.wake();
        waiters.wake();
        let woken = counts.map(|count| count.0.load(Ordering::Relaxed));
        assert_eq!(woken, [0, 1, 0]);
        assert!(waiters.places().wakers.is_empty());
    }
}
