//! Any operations, against the model.

use std::{sync::Arc, task::Waker, time::Duration};

use proptest::prelude::*;
use tower_vitals_core::ClosedLabel;

use super::{
    super::{Mode, Popped, Pushed, Queue, Turn},
    fake::{Fake, of, text},
    model::{Answer, Item, Model, Policy},
};
use crate::{
    CloseCode, DropReason, MessageKind,
    outbox::{Outbox, Outgoing, Overflow, aftermath::Aftermath, entry::NEVER},
};

#[derive(Clone, Debug)]
enum Step {
    Push {
        bytes: usize,
        key: Option<u64>,
        expires_in: Option<u64>,
        may_wait: bool,
    },
    Control,
    Close,
    Pop,
    Lag(u64),
    /// The waiting sender at this place, as far as there are so many.
    Turn(usize),
    GiveUp(usize, bool),
    Pass(u64),
    End(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let push = (
        0..9_usize,
        prop::option::of(0..4_u64),
        prop::option::weighted(0.3, 0..20_u64),
        any::<bool>(),
    );
    let push = push.prop_map(|(bytes, key, expires_in, may_wait)| Step::Push {
        bytes,
        key,
        expires_in,
        may_wait,
    });
    prop_oneof![
        20 => push,
        8 => Just(Step::Pop),
        2 => Just(Step::Control),
        1 => (1..4_u64).prop_map(Step::Lag),
        3 => (0..4_usize).prop_map(Step::Turn),
        2 => (0..4_usize, any::<bool>()).prop_map(|(at, is_timeout)| Step::GiveUp(at, is_timeout)),
        4 => (0..9_u64).prop_map(Step::Pass),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![
        Just(vec![Step::Close]),
        any::<bool>().prop_map(|is_slow| vec![Step::End(is_slow)]),
        Just(vec![])
    ];
    let some = || prop::collection::vec(step(), 0..60);
    (some(), end.clone(), some(), end, some()).prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat())
}

struct Pair {
    queue: Queue<Fake>,
    model: Model,
    now: u64,
    id: u64,
    handed: (u64, u64),
    attempted: (u64, u64),
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::Block),
        Just(Policy::Newest),
        Just(Policy::Oldest),
        (0..20_u64).prop_map(|grace| Policy::Disconnect { grace })
    ]
}

fn pair(policy: Policy, max_messages: usize, max_bytes: usize) -> Pair {
    let overflow = match policy {
        Policy::Block => Overflow::DEFAULT,
        Policy::Newest => Overflow::DropNewest,
        Policy::Oldest => Overflow::DropOldest,
        Policy::Disconnect { grace } => Overflow::DisconnectSlow {
            code: CloseCode::POLICY,
            grace: Duration::from_nanos(grace),
        },
    };
    let settings = Outbox::new()
        .max_messages(max_messages)
        .max_bytes(max_bytes)
        .overflow(overflow);
    Pair {
        queue: Queue::new(&settings.on_gap(|missed| text(missed, 0))),
        model: Model {
            policy,
            max_messages,
            max_bytes,
            data: Vec::new(),
            control: Vec::new(),
            waiting: Vec::new(),
            dropped: Default::default(),
            missed: 0,
            is_told: false,
            is_closing: false,
            has_ended: false,
            refuses_since: None,
        },
        now: 1_000,
        id: 0,
        handed: (0, 0),
        attempted: (0, 0),
    }
}

impl Pair {
    fn run(&mut self, step: &Step) {
        let after = &mut Aftermath::new();
        match *step {
            Step::Push {
                bytes,
                key,
                expires_in,
                may_wait,
            } => self.push(&text(self.id, bytes), key, expires_in, may_wait, after),
            Step::Control => self.push(&of(MessageKind::Ping, self.id), Some(1), Some(0), true, after),
            Step::Close => self.push(&of(MessageKind::Close, self.id), Some(1), Some(0), true, after),
            Step::Pop => self.pop(after),
            Step::Lag(messages) => {
                self.queue.lag(messages, after);
                self.model.dropped.entry(DropReason::Lagged).or_default().0 += messages;
                self.model.missed += messages;
                self.attempted.0 += messages;
            }
            Step::Turn(at) => self.turn(at),
            Step::GiveUp(at, is_timeout) => {
                let reason = if is_timeout {
                    DropReason::SendTimeout
                } else {
                    DropReason::Cancelled
                };
                if let Some(ticket) = self.waiting(at) {
                    let expected = self.model.give_up(ticket, reason);
                    assert_eq!(self.queue.give_up(ticket, reason, after), expected);
                    assert_eq!(self.queue.give_up(ticket, reason, after), None);
                }
            }
            Step::Pass(time) => self.now += time,
            Step::End(is_slow) => {
                let reason = if is_slow {
                    DropReason::SlowConsumer
                } else {
                    DropReason::Closed
                };
                self.queue.close(reason, after);
                self.model.close(reason);
            }
        }
    }

    /// The ticket of a sender that waits; a closing message has none that asks.
    fn waiting(&self, at: usize) -> Option<u64> {
        let item = self
            .model
            .waiting
            .get(at)
            .filter(|item| item.message.kind != MessageKind::Close)?;
        Some(item.ticket)
    }

    fn push(&mut self, message: &Fake, key: Option<u64>, expires_in: Option<u64>, may_wait: bool, after: &mut Aftermath<Fake>) {
        self.id += 1;
        self.attempted = (self.attempted.0 + 1, self.attempted.1 + message.bytes as u64);
        let item = Item {
            message: message.clone(),
            key,
            expires: expires_in.map_or(NEVER, |time| self.now + time),
            ticket: self.id,
        };
        let mut outgoing = Outgoing::new(message.clone());
        outgoing.key = key.map(Into::into);
        outgoing.expires_in = expires_in.map(Duration::from_nanos);
        let mode = if may_wait { Mode::Wait } else { Mode::Try };
        let answer = match self.queue.push(outgoing, mode, self.now, after) {
            Pushed::Queued => Answer::Queued,
            Pushed::Waits(ticket) => {
                assert_eq!(ticket, self.id);
                Answer::Waits
            }
            Pushed::Refused(kind, back) => {
                assert_eq!(&back, message);
                Answer::Refused(kind)
            }
        };
        assert_eq!(answer, self.model.push(item, may_wait, self.now));
    }

    fn pop(&mut self, after: &mut Aftermath<Fake>) {
        let popped = match self.queue.pop(self.now, after) {
            Popped::Message(entry) => {
                self.handed = (self.handed.0 + 1, self.handed.1 + entry.message.bytes as u64);
                Some(Ok(entry.message))
            }
            Popped::Gap(missed) => Some(Err(missed)),
            Popped::Nothing => None,
        };
        assert_eq!(popped, self.model.pop(self.now));
    }

    fn turn(&mut self, at: usize) {
        let waker = Waker::from(Arc::new(Unwoken));
        let Some(ticket) = self.waiting(at) else {
            assert!(matches!(self.queue.turn(self.id + 1, &waker), Turn::Taken));
            return;
        };
        match self.queue.turn(ticket, &waker) {
            Turn::Waits => assert!(!self.model.has_ended),
            Turn::Closed(message) => {
                assert!(self.model.has_ended);
                assert_eq!(self.model.give_up(ticket, DropReason::Closed), Some(message));
            }
            Turn::Taken => panic!("{ticket} waits"),
        }
    }

    fn check(&self) {
        let queued = self.queue.queued();
        assert_eq!((queued.messages, queued.bytes), self.model.queued());
        for reason in DropReason::ALL {
            let dropped = self.queue.dropped().of(*reason);
            let expected = self.model.dropped.get(reason).copied().unwrap_or_default();
            assert_eq!((dropped.messages, dropped.bytes), expected, "{reason:?}");
        }
        let dropped = self.queue.dropped().sum();
        let all = (
            self.handed.0 + dropped.messages + queued.messages,
            self.handed.1 + dropped.bytes + queued.bytes,
        );
        assert_eq!(all, self.attempted, "what was attempted went on, was dropped, or waits");
        let data = self.model.data.iter().filter(|item| item.message.kind == MessageKind::Text);
        let bytes: usize = data.clone().map(|item| item.message.bytes).sum();
        assert!(data.count() <= self.model.max_messages && bytes <= self.model.max_bytes);
        assert_eq!(
            (
                self.queue.is_closed(),
                self.queue.ended().is_some(),
                self.queue.refuses_since()
            ),
            (self.model.is_closing, self.model.has_ended, self.model.refuses_since)
        );
    }
}

struct Unwoken;

impl std::task::Wake for Unwoken {
    fn wake(self: Arc<Self>) {}
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn it_does_what_the_model_does(
        policy in policy(),
        max_messages in 1..6_usize,
        max_bytes in 1..20_usize,
        steps in steps(),
    ) {
        let mut pair = pair(policy, max_messages, max_bytes);
        for step in &steps {
            pair.run(step);
            pair.check();
        }
        // All that still waits comes out as the model says.
        for _ in 0..200 {
            pair.run(&Step::Pop);
            pair.check();
        }
    }
}
