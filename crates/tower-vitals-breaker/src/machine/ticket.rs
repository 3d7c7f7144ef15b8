use super::word::GENERATION;

/// What a call that is let through is given, and gives back when it ends. It is one number, since calls carry it along.
///
/// That of a usual call is the very [`Word`](super::Word) that let it through: as long as the word stays, nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Its result goes into the window of this generation.
    Counted { generation: u64 },
    /// It probes whether to close.
    Probe { generation: u64 },
    /// Its result decides nothing.
    Unjudged,
}

const KIND: u64 = (1 << GENERATION) - 1;
const COUNTED: u64 = 0;
// No word has the highest of these bits, so that neither is ever one.
const PROBE: u64 = 0b1000_0000;
const UNJUDGED: u64 = 0b1100_0000;

impl Ticket {
    pub(crate) const UNJUDGED: Self = Self(UNJUDGED);

    #[inline]
    pub(crate) fn counted(generation: u64) -> Self {
        Self(generation << GENERATION | COUNTED)
    }

    pub(crate) fn probe(generation: u64) -> Self {
        Self(generation << GENERATION | PROBE)
    }

    /// As it is compared with a word.
    #[inline]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn is_probe(self) -> bool {
        self.0 & KIND == PROBE
    }

    /// The generation in which it was given, unless it decides nothing.
    #[inline]
    pub(crate) fn generation(self) -> u64 {
        self.0 >> GENERATION
    }

    pub(crate) fn purpose(self) -> Purpose {
        let generation = self.generation();
        match self.0 & KIND {
            COUNTED => Purpose::Counted { generation },
            PROBE => Purpose::Probe { generation },
            _ => Purpose::Unjudged,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_gives_back_what_it_was_made_of() {
        for generation in [0, 1, (1 << 56) - 1] {
            assert_eq!(Ticket::counted(generation).purpose(), Purpose::Counted { generation });
            assert_eq!(Ticket::probe(generation).purpose(), Purpose::Probe { generation });
            assert!(Ticket::probe(generation).is_probe() && !Ticket::counted(generation).is_probe());
        }
        assert_eq!(Ticket::UNJUDGED.purpose(), Purpose::Unjudged);
    }
}
