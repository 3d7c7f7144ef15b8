use std::collections::{HashMap, VecDeque};

use crate::outbox::{
    Key,
    entry::{Entry, NEVER},
};

/// Messages in their order, within bounds, and where those with keys are.
#[derive(Debug)]
pub(super) struct Data<M> {
    max_messages: usize,
    max_bytes: usize,
    /// By places, which only grow.
    entries: VecDeque<Entry<M>>,
    places: HashMap<Key, u64>,
    bytes: usize,
    next_place: u64,
    /// No message expires earlier.
    expires: u64,
}

impl<M> Data<M> {
    pub(super) fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self {
            max_messages,
            max_bytes,
            entries: VecDeque::new(),
            places: HashMap::new(),
            bytes: 0,
            next_place: 0,
            expires: NEVER,
        }
    }

    pub(super) fn front(&self) -> Option<&Entry<M>> {
        self.entries.front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether something may have to go before its turn because of what time it is.
    pub(super) fn may_expire(&self) -> bool {
        self.expires != NEVER
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.entries.len() < self.max_messages && bytes <= self.max_bytes.saturating_sub(self.bytes)
    }

    /// Puts it behind all others.
    pub(super) fn append(&mut self, mut entry: Entry<M>) {
        entry.place = self.next_place;
        self.next_place += 1;
        self.bytes += entry.facts.bytes;
        self.expires = self.expires.min(entry.expires);
        if let Some(key) = &entry.key {
            self.places.insert(key.clone(), entry.place);
        }
        self.entries.push_back(entry);
    }

    /// Whether there is one with this key.
    pub(super) fn has(&self, key: Option<&Key>) -> bool {
        key.is_some_and(|key| self.places.contains_key(key))
    }

    /// Puts it in the place of the one with the same key, which it gives, if there is one and that leaves enough room.
    pub(super) fn replace(&mut self, mut entry: Entry<M>) -> Result<Entry<M>, Entry<M>> {
        let position = self.position(entry.key.as_ref());
        let Some(old) = position.and_then(|position| self.entries.get_mut(position)) else {
            return Err(entry);
        };
        let others = self.bytes - old.facts.bytes;
        if entry.facts.bytes > self.max_bytes.saturating_sub(others) {
            return Err(entry);
        }
        self.bytes = others + entry.facts.bytes;
        self.expires = self.expires.min(entry.expires);
        (entry.place, entry.since) = (old.place, old.since);
        Ok(std::mem::replace(old, entry))
    }

    pub(super) fn pop_front(&mut self) -> Option<Entry<M>> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.facts.bytes;
        if let Some(key) = &entry.key {
            self.places.remove(key);
        }
        if self.entries.is_empty() {
            self.expires = NEVER;
        }
        Some(entry)
    }

    /// Takes out what has expired, wherever it is.
    pub(super) fn purge(&mut self, now: u64, mut expired: impl FnMut(Entry<M>)) {
        if self.expires > now {
            return;
        }
        self.expires = NEVER;
        for _ in 0..self.entries.len() {
            let Some(entry) = self.entries.pop_front() else { break };
            if entry.expires > now {
                self.expires = self.expires.min(entry.expires);
                self.entries.push_back(entry);
                continue;
            }
            self.bytes -= entry.facts.bytes;
            if let Some(key) = &entry.key {
                self.places.remove(key);
            }
            expired(entry);
        }
    }

    fn position(&self, key: Option<&Key>) -> Option<usize> {
        // Most messages have none, and most outboxes have none of any.
        let place = self.places.get(key?)?;
        self.entries.binary_search_by_key(place, |entry| entry.place).ok()
    }
}
