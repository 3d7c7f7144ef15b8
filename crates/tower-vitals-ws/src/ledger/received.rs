use tower_vitals_core::ClosedLabel;

use super::{
    Amount,
    sizes::{RANGES, Sizes, add_sizes, range},
    words::Words,
};
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
    pub(crate) sizes: Sizes,
}

/// Where the words of sizes begin.
const SIZES: usize = 2 * MessageKind::ALL.len();
const WORDS: usize = SIZES + RANGES;

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
            words.add(SIZES + range(bytes), 1);
        });
    }

    pub(crate) fn read(&self) -> Received {
        let words = self.words.read();
        Received {
            of_kinds: std::array::from_fn(|kind| Amount {
                messages: words[2 * kind],
                bytes: words[2 * kind + 1],
            }),
            sizes: std::array::from_fn(|range| words[SIZES + range]),
        }
    }
}

impl Received {
    pub(crate) fn of(&self, kind: MessageKind) -> Amount {
        self.of_kinds[kind as usize]
    }

    pub(crate) fn all(&self) -> Amount {
        self.of_kinds.into_iter().sum()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (amount, more) in self.of_kinds.iter_mut().zip(other.of_kinds) {
            *amount += more;
        }
        add_sizes(&mut self.sizes, &other.sizes);
    }
}
