use std::array;

use tower_vitals_core::ClosedLabel;

use super::{
    Amount, DropReason, Dropped,
    sizes::{RANGES, Sizes, add_sizes, range},
    words::{Words, Writing},
};

/// What became of the messages that a connection's application wanted to send, as one writer notes it.
#[derive(Debug)]
pub(crate) struct SentWords {
    words: Words<WORDS>,
}

/// The same at one moment.
///
/// What was attempted was flushed, dropped, is queued in the outbox, or is buffered: it waits to be accepted, or is not yet known to have
/// left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) attempted: Amount,
    /// What of that was given to the socket.
    pub(crate) given: Amount,
    pub(crate) flushed: Amount,
    /// What waits in the outbox, where there is one.
    pub(crate) queued: Amount,
    dropped: Dropped,
    /// The sizes of what was given to the socket.
    pub(crate) sizes: Sizes,
}

/// Where the words of amounts begin.
const ATTEMPTED: usize = 0;
const FLUSHED: usize = 2;
/// What was dropped for any reason, so that nobody has to add it up.
const ALL_DROPPED: usize = 4;
const DROPPED: usize = 6;
/// Where the words of sizes begin.
const SIZES: usize = DROPPED + 2 * DropReason::ALL.len();
const WORDS: usize = SIZES + RANGES;

fn of_reason(reason: DropReason) -> usize {
    DROPPED + 2 * (reason as usize)
}

impl SentWords {
    pub(crate) fn new() -> Self {
        Self { words: Words::new() }
    }

    /// The application wants to send a message.
    #[inline]
    pub(crate) fn attempt(&self, bytes: usize) {
        self.words.write(|words| {
            add(&words, ATTEMPTED, Amount::message(bytes));
            words.add(SIZES + range(bytes), 1);
        });
    }

    /// A message that was attempted will not be sent.
    #[cold]
    pub(crate) fn drop_one(&self, reason: DropReason, bytes: usize) {
        self.drop(reason, Amount::message(bytes));
    }

    /// Everything that is buffered has left, but what waits to be accepted.
    #[inline]
    pub(crate) fn flush(&self, waiting: Amount) {
        let buffered = self.buffered() - waiting;
        if buffered != Amount::default() {
            self.words.write(|words| add(&words, FLUSHED, buffered));
        }
    }

    /// Nothing that is buffered will leave any more; what waits to be accepted may not even be that.
    #[cold]
    pub(crate) fn drop_buffered(&self, reason: DropReason, waiting: Amount) {
        let buffered = self.buffered() - waiting;
        if buffered != Amount::default() {
            self.drop(reason, buffered);
        }
    }

    fn drop(&self, reason: DropReason, amount: Amount) {
        self.words.write(|words| {
            add(&words, ALL_DROPPED, amount);
            add(&words, of_reason(reason), amount);
        });
    }

    pub(crate) fn read(&self) -> Sent {
        let words = self.words.read();
        let amount = |place: usize| Amount {
            messages: words[place],
            bytes: words[place + 1],
        };
        Sent {
            attempted: amount(ATTEMPTED),
            given: amount(ATTEMPTED),
            flushed: amount(FLUSHED),
            queued: Amount::default(),
            dropped: Dropped(array::from_fn(|reason| amount(DROPPED + 2 * reason))),
            sizes: array::from_fn(|range| words[SIZES + range]),
        }
    }

    /// What is buffered, for the one that writes.
    #[inline]
    fn buffered(&self) -> Amount {
        let own = |place| Amount {
            messages: self.words.own(place),
            bytes: self.words.own(place + 1),
        };
        own(ATTEMPTED) - own(FLUSHED) - own(ALL_DROPPED)
    }
}

#[inline]
fn add(words: &Writing<'_, WORDS>, place: usize, amount: Amount) {
    words.add(place, amount.messages);
    words.add(place + 1, amount.bytes);
}

impl Sent {
    pub(crate) fn dropped(&self, reason: DropReason) -> Amount {
        self.dropped.of(reason)
    }

    /// What was dropped for any reason.
    pub(crate) fn all_dropped(&self) -> Amount {
        self.dropped.sum()
    }

    /// Adds what an outbox has, and what it dropped.
    pub(crate) fn add_outbox(&mut self, queued: Amount, dropped: &Dropped) {
        self.attempted += queued + dropped.sum();
        self.queued += queued;
        self.dropped.add(dropped);
    }

    /// What waits to be accepted, or is not known to have left or to be lost.
    pub(crate) fn buffered(&self) -> Amount {
        self.attempted - self.flushed - self.queued - self.all_dropped()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.attempted += other.attempted;
        self.given += other.given;
        self.flushed += other.flushed;
        self.queued += other.queued;
        self.dropped.add(&other.dropped);
        add_sizes(&mut self.sizes, &other.sizes);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn amount(messages: u64, bytes: u64) -> Amount {
        Amount { messages, bytes }
    }

    #[test]
    fn what_was_not_accepted_is_neither_flushed_nor_lost_with_the_rest() {
        let words = SentWords::new();
        words.attempt(5);
        words.attempt(7);
        words.flush(amount(1, 7));
        assert_eq!((words.read().flushed, words.read().buffered()), (amount(1, 5), amount(1, 7)));
        words.attempt(1);
        words.drop_buffered(DropReason::IoError, amount(1, 7));
        assert_eq!(words.read().dropped(DropReason::IoError), amount(1, 1));
        words.drop_one(DropReason::Cancelled, 7);
        assert_eq!(words.read().buffered(), Amount::default());
    }

    #[test]
    fn what_is_attempted_is_buffered_until_it_is_flushed_or_dropped() {
        let words = SentWords::new();
        words.attempt(5);
        words.attempt(7);
        assert_eq!(words.read().buffered(), amount(2, 12));
        words.flush(Amount::default());
        words.attempt(11);
        words.drop_one(DropReason::TooLarge, 11);
        words.attempt(3);
        let sent = words.read();
        assert_eq!(
            (sent.attempted, sent.flushed, sent.buffered()),
            (amount(4, 26), amount(2, 12), amount(1, 3))
        );
        assert_eq!(sent.dropped(DropReason::TooLarge), amount(1, 11));
        words.drop_buffered(DropReason::ConnectionDropped, Amount::default());
        words.flush(Amount::default());
        let sent = words.read();
        assert_eq!((sent.flushed, sent.buffered()), (amount(2, 12), Amount::default()));
        assert_eq!(sent.dropped(DropReason::ConnectionDropped), amount(1, 3));
        let mut twice = sent;
        twice.add(&sent);
        assert_eq!(
            (twice.attempted, twice.dropped(DropReason::TooLarge)),
            (amount(8, 52), amount(2, 22))
        );
    }
}
