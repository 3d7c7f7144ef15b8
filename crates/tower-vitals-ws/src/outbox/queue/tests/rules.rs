//! What the model cannot tell: who is to be woken, since when something waits, and what is left to do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Wake, Waker},
    time::Duration,
};

use super::{
    super::{Mode, Popped, Pushed, Queue, Turn},
    fake::{Fake, of, text},
};
use crate::{
    CloseCode, DropReason, MessageKind,
    ledger::Amount,
    outbox::{Outbox, Outgoing, Overflow, SendErrorKind, aftermath::Aftermath},
};

fn queue(overflow: Overflow) -> Queue<Fake> {
    Queue::new(&Outbox::new().max_messages(2).max_bytes(100).overflow(overflow))
}

fn push(queue: &mut Queue<Fake>, message: impl Into<Outgoing<Fake>>, now: u64) -> Pushed<Fake> {
    queue.push(message, Mode::Wait, now, &mut Aftermath::new())
}

fn pop(queue: &mut Queue<Fake>, now: u64) -> Option<u64> {
    match queue.pop(now, &mut Aftermath::new()) {
        Popped::Message(entry) => Some(entry.message.id),
        Popped::Gap(_) | Popped::Nothing => None,
    }
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn who_waited_for_room_is_woken_once_the_message_is_in() {
    let mut queue = queue(Overflow::DEFAULT);
    push(&mut queue, text(1, 10), 0);
    push(&mut queue, text(2, 10), 0);
    let Pushed::Waits(third) = push(&mut queue, text(3, 10), 0) else {
        panic!("there is room")
    };
    let Pushed::Waits(fourth) = push(&mut queue, text(4, 10), 0) else {
        panic!("there is room")
    };
    let woken = Arc::new(Woken::default());
    for ticket in [third, fourth] {
        assert!(matches!(queue.turn(ticket, &Waker::from(Arc::clone(&woken))), Turn::Waits));
    }
    let mut after = Aftermath::new();
    queue.pop(0, &mut after);
    assert_eq!(after.wakers.len(), 1);
    assert!(matches!(queue.turn(third, Waker::noop()), Turn::Taken));
    assert!(matches!(queue.turn(fourth, Waker::noop()), Turn::Waits));
    assert!(
        matches!(
            queue.push(text(5, 0), Mode::Try, 0, &mut after),
            Pushed::Refused(SendErrorKind::Full, _)
        ),
        "others came first"
    );
    assert_eq!(
        [pop(&mut queue, 0), pop(&mut queue, 0), pop(&mut queue, 0)],
        [Some(2), Some(3), Some(4)]
    );
}

#[test]
fn a_waiter_that_goes_makes_room_for_smaller_ones_behind_it() {
    let mut queue = queue(Overflow::DEFAULT);
    push(&mut queue, text(1, 60), 0);
    let Pushed::Waits(large) = push(&mut queue, text(2, 50), 0) else {
        panic!("there is room")
    };
    let Pushed::Waits(small) = push(&mut queue, text(3, 10), 0) else {
        panic!("it may not pass")
    };
    assert!(queue.give_up(large, DropReason::Cancelled, &mut Aftermath::new()).is_some());
    assert!(matches!(queue.turn(small, Waker::noop()), Turn::Taken));
    assert_eq!(queue.dropped().of(DropReason::Cancelled), Amount::message(50));
}

#[test]
fn an_older_message_that_waits_does_not_come_after_a_newer_one() {
    let mut queue = queue(Overflow::DEFAULT);
    push(&mut queue, Outgoing::new(text(1, 10)).latest("price"), 0);
    push(&mut queue, text(2, 90), 0);
    let Pushed::Waits(third) = push(&mut queue, Outgoing::new(text(3, 11)).latest("price"), 0) else {
        panic!("there is no room for one byte more")
    };
    let Pushed::Waits(fourth) = push(&mut queue, text(4, 1), 0) else {
        panic!("it may not pass")
    };
    push(&mut queue, Outgoing::new(text(5, 9)).latest("price"), 0);
    assert!(matches!(queue.turn(third, Waker::noop()), Turn::Taken), "it need not wait");
    assert_eq!(
        [pop(&mut queue, 0), pop(&mut queue, 0), pop(&mut queue, 0)],
        [Some(5), Some(2), Some(4)]
    );
    assert!(matches!(queue.turn(fourth, Waker::noop()), Turn::Taken));
    assert_eq!(queue.dropped().of(DropReason::Coalesced), Amount { messages: 2, bytes: 21 });
}

#[test]
fn word_of_what_was_missed_does_not_keep_back_what_was_not() {
    let settings = Outbox::new().max_messages(2).overflow(Overflow::DropOldest);
    let mut queue = Queue::new(&settings.on_gap(|missed| text(missed, 0)));
    let mut came = Vec::new();
    // Senders are faster than the one that sends.
    for id in 0..8 {
        for _ in 0..3 {
            push(&mut queue, text(id, 1), 0);
        }
        came.push(pop(&mut queue, 0));
    }
    assert_eq!(came.iter().flatten().count(), 4, "{came:?}");
}

#[test]
fn it_is_known_since_when_the_first_waits() {
    let mut queue = queue(Overflow::DropOldest);
    assert_eq!(queue.since(), None);
    push(&mut queue, Outgoing::new(text(1, 1)).latest(7), 10);
    push(&mut queue, Outgoing::new(text(2, 1)).latest(7), 20);
    assert_eq!(queue.since(), Some(10), "somebody waits since then, whatever for");
    push(&mut queue, text(3, 1), 30);
    push(&mut queue, of(MessageKind::Ping, 4), 5);
    assert_eq!(queue.since(), Some(5));
    assert_eq!([pop(&mut queue, 40), pop(&mut queue, 40)], [Some(4), Some(2)]);
    assert_eq!(queue.since(), Some(30));
    pop(&mut queue, 40);
    assert_eq!(queue.since(), None);
}

#[test]
fn of_refusals_the_first_is_urgent_and_so_is_the_end() {
    let code = CloseCode::TRY_AGAIN_LATER;
    let mut queue = queue(Overflow::DisconnectSlow {
        code,
        grace: Duration::from_nanos(10),
    });
    let refused = |queue: &mut Queue<Fake>, now| {
        let mut after = Aftermath::new();
        let pushed = queue.push(text(0, 1), Mode::Wait, now, &mut after);
        assert!(matches!(pushed, Pushed::Refused(SendErrorKind::Full, _)), "{pushed:?}");
        (after.is_urgent, after.has_closed)
    };
    push(&mut queue, text(1, 1), 0);
    push(&mut queue, text(2, 1), 0);
    assert_eq!(
        [refused(&mut queue, 0), refused(&mut queue, 9)],
        [(true, false), (false, false)]
    );
    pop(&mut queue, 9);
    push(&mut queue, text(3, 1), 9);
    assert_eq!(
        [refused(&mut queue, 10), refused(&mut queue, 19)],
        [(true, false), (false, false)]
    );
    assert_eq!(refused(&mut queue, 20), (true, true));
    assert_eq!(queue.queued(), Amount::default());
    assert_eq!(queue.dropped().of(DropReason::SlowConsumer), Amount { messages: 7, bytes: 7 });
}

#[test]
fn what_comes_after_the_last_numbers_is_for_others_to_count() {
    let mut queue = queue(Overflow::DEFAULT);
    push(&mut queue, text(1, 10), 0);
    queue.settle(DropReason::ConnectionDropped, &mut Aftermath::new());
    let before = *queue.dropped();
    for (kind, reason) in [
        (MessageKind::Text, DropReason::Closed),
        (MessageKind::Close, DropReason::Closing),
    ] {
        let mut after = Aftermath::new();
        queue.push(of(kind, 2), Mode::Wait, 0, &mut after);
        assert_eq!(after.late, Some((reason, Amount::message(2))));
    }
    assert_eq!((*queue.dropped(), queue.queued()), (before, Amount::default()));
}

#[test]
fn a_ping_that_is_larger_than_any_may_be_is_given_back() {
    let mut queue = queue(Overflow::DEFAULT);
    let ping = |bytes| Fake {
        bytes,
        ..of(MessageKind::Ping, 1)
    };
    assert!(matches!(push(&mut queue, ping(125), 0), Pushed::Queued));
    let refused = push(&mut queue, ping(126), 0);
    assert!(
        matches!(refused, Pushed::Refused(SendErrorKind::TooLarge, ref message) if message.bytes == 126),
        "{refused:?}"
    );
    assert_eq!(queue.dropped().of(DropReason::TooLarge), Amount::message(126));
}
