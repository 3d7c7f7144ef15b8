use crate::{
    TransitionReason,
    settings::{Round, Semantics, Verdicts},
};

/// The probes of a half-open breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Probes {
    /// On their way.
    pub(super) in_flight: u32,
    ended: u32,
    failed: u32,
    slow: u32,
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProbeEnd {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

impl Probes {
    /// Whether another probe may go through.
    pub(super) fn has_place(&self, round: Round, semantics: &Semantics) -> bool {
        let started = self.ended + self.in_flight;
        self.in_flight < round.at_once && (semantics.places_return || started < round.probes)
    }

    /// Counts the end of a probe. Gives the reason for which the breaker is to close or to open again, if the probes have decided.
    pub(super) fn end(&mut self, end: ProbeEnd, round: Round, semantics: &Semantics) -> Option<TransitionReason> {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.ended += 1;
        self.failed += u32::from(end.failed);
        self.slow += u32::from(end.slow);
        let missing = round.probes.saturating_sub(self.ended);
        if semantics.verdicts == Verdicts::AfterAll && missing > 0 {
            return None;
        }
        if self.failed >= round.failures {
            Some(TransitionReason::ProbesFailed)
        } else if self.slow >= round.slow {
            Some(TransitionReason::ProbesSlow)
        } else if self.failed + missing < round.failures && self.slow.saturating_add(missing) < round.slow {
            Some(TransitionReason::ProbesSucceeded)
        } else {
            None
        }
    }

    /// What ended, in all and badly.
    #[cfg(all(test, not(loom)))]
    pub(super) fn counts(&self) -> crate::recent::Counts {
        crate::recent::Counts {
            total: self.ended.into(),
            failed: self.failed.into(),
            slow: self.slow.into(),
            was_full: false,
        }
    }

    /// Takes a probe back that says nothing.
    pub(super) fn take_back(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}
