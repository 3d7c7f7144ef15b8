use super::Ticket;
use crate::{Mode, RejectReason, State};

/// What a call must know of a breaker, in one number that is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

const MODE: u32 = 2;
const FULL: u32 = 4;
const TIMED: u32 = 5;
const REJECTS: u32 = 6;
/// Where the generation begins.
pub(super) const GENERATION: u32 = 8;

impl Word {
    /// `is_full` says that no further probe may go through now, and `is_timed` that calls are timed.
    pub(crate) fn new(state: State, mode: Mode, (is_full, is_timed): (bool, bool), generation: u64) -> Self {
        let rejects = state == State::Open && mode != Mode::Shadow;
        let flags = u64::from(is_full) << FULL | u64::from(is_timed) << TIMED | u64::from(rejects) << REJECTS;
        Self(state as u64 | (mode as u64) << MODE | flags | generation << GENERATION)
    }

    #[inline]
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

    /// What a call is given by a closed breaker that goes by results and times no calls, as most do most of the time.
    #[inline]
    pub(crate) fn usual_ticket(self) -> Option<Ticket> {
        const ALL: u64 = (1 << GENERATION) - 1;
        let usual = State::Closed as u64 | (Mode::Auto as u64) << MODE;
        (self.0 & ALL == usual).then(|| Ticket::counted(self.generation()))
    }

    #[inline]
    pub(crate) fn is_open(self) -> bool {
        self.0 & 0b11 == State::Open as u64
    }

    #[inline]
    pub(crate) fn is_shadow(self) -> bool {
        self.0 >> MODE & 0b11 == Mode::Shadow as u64
    }

    /// Whether the breaker is open, and calls are rejected for it as long as its time is not over.
    #[inline]
    pub(crate) fn rejects_while_open(self) -> bool {
        self.0 >> REJECTS & 1 == 1
    }

    /// What a call is given while the breaker is closed.
    pub(crate) fn ticket_of_closed(self) -> Ticket {
        if self.0 >> MODE & 0b11 == Mode::Disabled as u64 {
            Ticket::UNJUDGED
        } else {
            Ticket::counted(self.generation())
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
        Self::new(self.state(), self.mode(), (self.is_full(), self.is_timed()), generation)
    }

    #[inline]
    pub(crate) fn generation(self) -> u64 {
        self.0 >> GENERATION
    }

    /// Whether no further probe may go through; only a half-open breaker is full.
    #[inline]
    pub(crate) fn is_full(self) -> bool {
        self.0 >> FULL & 1 == 1
    }

    fn is_timed(self) -> bool {
        self.0 >> TIMED & 1 == 1
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
                for (is_full, is_timed, generation) in [(false, true, 0), (true, false, 1), (false, false, (1 << 56) - 1)] {
                    let word = Word::from_bits(Word::new(state, mode, (is_full, is_timed), generation).bits());
                    assert_eq!((word.state(), word.mode()), (state, mode));
                    assert_eq!((word.is_full(), word.generation()), (is_full, generation));
                    assert_eq!(word.is_closed(), state == State::Closed);
                    let rejects = state == State::Open && mode != Mode::Shadow;
                    assert_eq!(word.rejects_while_open(), rejects);
                    let is_usual = state == State::Closed && mode == Mode::Auto && !is_full && !is_timed;
                    assert_eq!(word.usual_ticket(), is_usual.then(|| Ticket::counted(generation)));
                }
            }
        }
    }
}
