use super::Ticket;
use crate::{Mode, RejectReason, State};

/// What a call must know of a breaker, in one number that is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

const MODE: u32 = 2;
const FULL: u32 = 4;
const GENERATION: u32 = 8;

impl Word {
    /// `is_full` says that no further probe may go through now.
    pub(crate) fn new(state: State, mode: Mode, is_full: bool, generation: u64) -> Self {
        Self(state as u64 | (mode as u64) << MODE | u64::from(is_full) << FULL | generation << GENERATION)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn is_closed(self) -> bool {
        self.0 & 0b11 == State::Closed as u64
    }

    /// What a call is given while the breaker is closed.
    #[inline]
    pub(crate) fn ticket_of_closed(self) -> Ticket {
        if self.0 >> MODE & 0b11 == Mode::Disabled as u64 {
            Ticket::Unjudged
        } else {
            let generation = self.generation();
            Ticket::Counted { generation }
        }
    }

    /// Why a call is rejected while the breaker is open.
    #[inline]
    pub(crate) fn reason_of_open(self) -> RejectReason {
        if self.0 >> MODE & 0b11 == Mode::ForcedOpen as u64 {
            RejectReason::ForcedOpen
        } else {
            RejectReason::Open
        }
    }

    /// The same in another generation.
    pub(crate) fn of_generation(self, generation: u64) -> Self {
        Self::new(self.state(), self.mode(), self.is_full(), generation)
    }

    #[inline]
    pub(crate) fn generation(self) -> u64 {
        self.0 >> GENERATION
    }

    pub(crate) fn is_full(self) -> bool {
        self.0 >> FULL & 1 == 1
    }

    pub(crate) fn state(self) -> State {
        match self.0 & 0b11 {
            0 => State::Closed,
            1 => State::Open,
            _ => State::HalfOpen,
        }
    }

    pub(crate) fn mode(self) -> Mode {
        match self.0 >> MODE & 0b11 {
            0 => Mode::Auto,
            1 => Mode::ForcedOpen,
            2 => Mode::Disabled,
            _ => Mode::Shadow,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_gives_back_what_it_was_made_of() {
        for state in [State::Closed, State::Open, State::HalfOpen] {
            for mode in [Mode::Auto, Mode::ForcedOpen, Mode::Disabled, Mode::Shadow] {
                for (is_full, generation) in [(false, 0), (true, 1), (false, (1 << 56) - 1)] {
                    let word = Word::from_bits(Word::new(state, mode, is_full, generation).bits());
                    assert_eq!((word.state(), word.mode()), (state, mode));
                    assert_eq!((word.is_full(), word.generation()), (is_full, generation));
                    assert_eq!(word.is_closed(), state == State::Closed);
                }
            }
        }
    }
}
