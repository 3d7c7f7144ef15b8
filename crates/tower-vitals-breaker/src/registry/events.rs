//! Tells subscribers what happens, in the order in which it happened, by one thread at a time and outside of every lock.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use super::Event;
use crate::{
    machine::Change,
    shared::{Listener, Shared},
};

/// What was noted and is to be told.
#[derive(Default)]
pub(crate) struct Events {
    queue: Mutex<Queue>,
    /// The list is copied when it changes, so that it is not locked while subscribers run.
    subscribers: Mutex<Arc<Vec<Arc<Subscriber>>>>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    /// Dropped before the first of those.
    lost: u64,
    /// Whether a thread is telling.
    is_told: bool,
}

struct Subscriber {
    is_gone: AtomicBool,
    hear: Box<dyn Fn(&Event) + Send + Sync>,
}

/// A subscription to the events of breakers. Dropping it ends it.
#[must_use = "dropping a subscription ends it"]
pub struct Subscription {
    events: Weak<Events>,
    subscriber: Arc<Subscriber>,
}

/// The most events that wait, and the most that one thread tells at once. More than this is a subscriber that stands still, or that
/// answers every event with an order that makes another one.
const MOST: usize = 1_024;

// === impl Events ===

impl Events {
    /// Queues an event. It is told by the next [`deliver`](Self::deliver).
    pub(super) fn push(&self, event: Event) {
        let mut queue = self.queue();
        if queue.events.len() >= MOST {
            queue.events.pop_front();
            queue.lost += 1;
        }
        queue.events.push_back(event);
    }

    /// Tells what is queued, unless a thread does that already. No lock may be held.
    pub(super) fn deliver(&self) {
        {
            let mut queue = self.queue();
            if queue.is_told || queue.events.is_empty() {
                return;
            }
            queue.is_told = true;
        }
        let mut telling = Telling {
            events: self,
            is_over: false,
        };
        for _ in 0..MOST {
            match telling.next() {
                Some(event) => self.tell_all(&event),
                None => return,
            }
        }
    }

    /// Tells one event. Who panics keeps nobody else from hearing it.
    fn tell_all(&self, event: &Event) {
        unless_it_panics(|| event.trace());
        let subscribers = Arc::clone(&self.subscribers());
        for subscriber in subscribers.iter() {
            if !subscriber.is_gone.load(Ordering::Acquire) {
                unless_it_panics(|| (subscriber.hear)(event));
            }
        }
        // What a subscriber keeps goes with the last list that has it.
        unless_it_panics(|| drop(subscribers));
    }

    pub(super) fn subscribe(self: &Arc<Self>, hear: impl Fn(&Event) + Send + Sync + 'static) -> Subscription {
        let subscriber = Arc::new(Subscriber {
            is_gone: AtomicBool::new(false),
            hear: Box::new(hear),
        });
        self.change_subscribers(|subscribers| subscribers.push(Arc::clone(&subscriber)));
        Subscription {
            events: Arc::downgrade(self),
            subscriber,
        }
    }

    fn change_subscribers(&self, change: impl FnOnce(&mut Vec<Arc<Subscriber>>)) {
        let mut present = self.subscribers();
        let mut list = Vec::clone(&present);
        change(&mut list);
        let old = std::mem::replace(&mut *present, Arc::new(list));
        drop(present);
        // What a subscriber keeps may do anything when it is dropped, so no lock is held.
        drop(old);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribers(&self) -> MutexGuard<'_, Arc<Vec<Arc<Subscriber>>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Events {
    fn note(&self, shared: &Shared, change: &Change, since: SystemTime) {
        Event::of_change(shared, change, since).for_each(|event| self.push(event));
    }

    fn tell(&self) {
        self.deliver();
    }
}

/// A thread that tells. However it ends, another may tell afterwards.
struct Telling<'a> {
    events: &'a Events,
    is_over: bool,
}

impl Telling<'_> {
    /// The next event. When there is none, this thread tells no longer.
    fn next(&mut self) -> Option<Event> {
        let mut queue = self.events.queue();
        if queue.lost > 0 {
            let count = std::mem::take(&mut queue.lost);
            return Some(Event::Lost { count });
        }
        let next = queue.events.pop_front();
        if next.is_none() {
            // Under the lock under which it was found empty, so that what is queued from now on is told by another.
            queue.is_told = false;
            self.is_over = true;
        }
        next
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.events.queue().is_told = false;
        }
    }
}

/// Runs what others wrote.
fn unless_it_panics(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        forget(payload);
        let _ = catch_unwind(|| tracing::error!("a subscriber to events of circuit breakers panicked"));
    }
}

/// Drops what a panic carries, which may panic itself.
fn forget(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Twice in a row is meant to harm.
        let _ = ManuallyDrop::new(again);
    }
}

// === impl Subscription ===

impl Drop for Subscription {
    fn drop(&mut self) {
        self.subscriber.is_gone.store(true, Ordering::Release);
        if let Some(events) = self.events.upgrade() {
            events.change_subscribers(|subscribers| subscribers.retain(|known| !Arc::ptr_eq(known, &self.subscriber)));
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("subscribers", &self.subscribers().len())
            .finish_non_exhaustive()
    }
}
