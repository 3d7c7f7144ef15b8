use tower_vitals_core::ClosedLabel;

use super::{Amount, words::Words};
use crate::MessageKind;

/// What the application of a connection was given, by kind, as one writer notes it.
#[derive(Debug)]
pub(crate) struct ReceivedWords {
    words: Words<WORDS>,
}

/// The same at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    of_kinds: [Amount; MessageKind::ALL.len()],
}

const WORDS: usize = 2 * MessageKind::ALL.len();

impl ReceivedWords {
    pub(crate) fn new() -> Self {
        Self { words: Words::new() }
    }

    #[inline]
    pub(crate) fn count(&self, kind: MessageKind, bytes: usize) {
        self.words.write(|words| {
            let place = 2 * (kind as usize);
            words.add(place, 1);
            words.add(place + 1, bytes as u64);
        });
    }

    pub(crate) fn read(&self) -> Received {
        let words = self.words.read();
        Received {
            of_kinds: std::array::from_fn(|kind| Amount {
                messages: words[2 * kind],
                bytes: words[2 * kind + 1],
            }),
        }
    }
}

impl Received {
    pub(crate) fn of(&self, kind: MessageKind) -> Amount {
        self.of_kinds[kind as usize]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (amount, more) in self.of_kinds.iter_mut().zip(other.of_kinds) {
            *amount += more;
        }
    }
}
