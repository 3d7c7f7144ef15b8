//! An outbox as one would explain it, without regard to what it costs.

use std::collections::HashMap;

use super::fake::Fake;
use crate::{DropReason, MessageKind, WsMessage, outbox::SendErrorKind};

#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) message: Fake,
    pub(super) key: Option<u64>,
    pub(super) expires: u64,
    pub(super) ticket: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Block,
    Newest,
    Oldest,
    Disconnect { grace: u64 },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Queued,
    Waits,
    Refused(SendErrorKind),
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) policy: Policy,
    pub(super) max_messages: usize,
    pub(super) max_bytes: usize,
    pub(super) data: Vec<Item>,
    pub(super) control: Vec<Fake>,
    pub(super) waiting: Vec<Item>,
    pub(super) dropped: HashMap<DropReason, (u64, u64)>,
    pub(super) missed: u64,
    /// Whether the other side was told, and got nothing since.
    pub(super) is_told: bool,
    /// Whether it was closed, and whether nothing comes out any more.
    pub(super) is_closing: bool,
    pub(super) has_ended: bool,
    pub(super) refuses_since: Option<u64>,
}

impl Model {
    pub(super) fn drop(&mut self, reason: DropReason, message: &Fake) {
        use DropReason as R;
        let count = self.dropped.entry(reason).or_default();
        *count = (count.0 + 1, count.1 + message.bytes as u64);
        if [R::QueueFull, R::Evicted, R::Expired, R::SlowConsumer, R::SendTimeout].contains(&reason) {
            self.missed += 1;
        }
    }

    fn bytes(&self) -> usize {
        self.data.iter().map(|item| item.message.bytes).sum()
    }

    /// Puts it in, if that is possible right now.
    fn fit(&mut self, item: &Item, must_wait_in_line: bool) -> bool {
        let same = self.data.iter().position(|other| item.key.is_some() && other.key == item.key);
        if let Some(at) = same {
            let fits = self.bytes() - self.data[at].message.bytes + item.message.bytes <= self.max_bytes;
            if fits {
                let old = std::mem::replace(&mut self.data[at], item.clone());
                self.drop(DropReason::Coalesced, &old.message);
            }
            return fits;
        }
        let fits = self.data.len() < self.max_messages && self.bytes() + item.message.bytes <= self.max_bytes;
        if fits && !must_wait_in_line {
            self.data.push(item.clone());
        }
        fits && !must_wait_in_line
    }

    pub(super) fn push(&mut self, item: Item, may_wait: bool, now: u64) -> Answer {
        let message = item.message.clone();
        let refuse = |model: &mut Self, kind, reason| {
            model.drop(reason, &message);
            Answer::Refused(kind)
        };
        let is_close = message.kind == MessageKind::Close;
        if self.is_closing {
            let reason = if is_close { DropReason::Closing } else { DropReason::Closed };
            return refuse(self, SendErrorKind::Closed, reason);
        }
        if [MessageKind::Ping, MessageKind::Pong].contains(&message.kind) {
            if self.control.len() == 64 {
                return refuse(self, SendErrorKind::Full, DropReason::QueueFull);
            }
            self.control.push(message);
            return Answer::Queued;
        }
        if is_close {
            self.is_closing = true;
            let item = Item {
                key: None,
                expires: u64::MAX,
                ..item
            };
            let line = if self.waiting.is_empty() {
                &mut self.data
            } else {
                &mut self.waiting
            };
            line.push(item);
            return Answer::Queued;
        }
        if message.payload_len() > self.max_bytes {
            return refuse(self, SendErrorKind::TooLarge, DropReason::TooLarge);
        }
        if self.fit(&item, !self.waiting.is_empty()) {
            self.supersede(&item);
            return Answer::Queued;
        }
        self.expire(now);
        if self.fit(&item, !self.waiting.is_empty()) {
            self.supersede(&item);
            return Answer::Queued;
        }
        match self.policy {
            Policy::Block if may_wait => {
                self.waiting.push(item);
                Answer::Waits
            }
            Policy::Block | Policy::Newest => refuse(self, SendErrorKind::Full, DropReason::QueueFull),
            Policy::Oldest => {
                while !self.fit(&item, false) {
                    let oldest = self.data.remove(0);
                    self.drop(DropReason::Evicted, &oldest.message);
                }
                Answer::Queued
            }
            Policy::Disconnect { grace } => {
                let answer = refuse(self, SendErrorKind::Full, DropReason::SlowConsumer);
                if now - *self.refuses_since.get_or_insert(now) >= grace {
                    self.close(DropReason::SlowConsumer);
                }
                answer
            }
        }
    }

    /// What waits for room with the same key is older.
    fn supersede(&mut self, item: &Item) {
        let (old, rest): (Vec<_>, Vec<_>) = self
            .waiting
            .drain(..)
            .partition(|other| item.key.is_some() && other.key == item.key);
        self.waiting = rest;
        for item in &old {
            self.drop(DropReason::Coalesced, &item.message);
        }
        self.let_in();
    }

    pub(super) fn expire(&mut self, now: u64) {
        let (old, good): (Vec<_>, Vec<_>) = self.data.drain(..).partition(|item| item.expires <= now);
        self.data = good;
        for item in &old {
            self.drop(DropReason::Expired, &item.message);
        }
        if !old.is_empty() {
            self.see_room();
        }
    }

    pub(super) fn see_room(&mut self) {
        self.refuses_since = None;
        self.let_in();
    }

    pub(super) fn let_in(&mut self) {
        while let Some(item) = self.waiting.first().cloned() {
            if item.message.kind == MessageKind::Close {
                self.data.push(item);
            } else if !self.fit(&item, false) {
                return;
            }
            self.waiting.remove(0);
        }
    }

    pub(super) fn give_up(&mut self, ticket: u64, reason: DropReason) -> Option<Fake> {
        let at = self.waiting.iter().position(|item| item.ticket == ticket)?;
        let item = self.waiting.remove(at);
        if !self.has_ended {
            self.drop(reason, &item.message);
            self.let_in();
        }
        Some(item.message)
    }

    /// What comes out: a message, or how many were missed.
    pub(super) fn pop(&mut self, now: u64) -> Option<Result<Fake, u64>> {
        if !self.control.is_empty() {
            return Some(Ok(self.control.remove(0)));
        }
        loop {
            let Some(first) = self.data.first().cloned() else {
                self.is_told = false;
                return None;
            };
            if first.expires <= now {
                self.data.remove(0);
                self.drop(DropReason::Expired, &first.message);
                self.see_room();
                continue;
            }
            if self.missed > 0 && !self.is_told && first.message.kind != MessageKind::Close {
                self.is_told = true;
                return Some(Err(std::mem::take(&mut self.missed)));
            }
            self.data.remove(0);
            self.is_told = false;
            self.see_room();
            return Some(Ok(first.message));
        }
    }

    pub(super) fn close(&mut self, reason: DropReason) {
        if self.has_ended {
            return;
        }
        (self.is_closing, self.has_ended, self.refuses_since) = (true, true, None);
        let data = self.data.drain(..).map(|item| item.message);
        let all: Vec<_> = self.control.drain(..).chain(data).collect();
        let waiting: Vec<_> = self.waiting.iter().map(|item| item.message.clone()).collect();
        for message in all.iter().chain(&waiting) {
            let is_close = message.kind == MessageKind::Close && reason == DropReason::Closed;
            self.drop(if is_close { DropReason::Closing } else { reason }, message);
        }
    }

    /// What waits, with its bytes.
    pub(super) fn queued(&self) -> (u64, u64) {
        let waiting = self.waiting.iter().filter(|_| !self.has_ended);
        let items = self.data.iter().chain(waiting).map(|item| &item.message);
        let each = items.chain(&self.control).map(|message| message.bytes as u64);
        (each.clone().count() as u64, each.sum())
    }
}
