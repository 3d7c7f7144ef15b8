//! What operators of other breakers may order, and what only the replay of those breakers' tests needs.

use super::{Change, Machine};
use crate::{Mode, State, TransitionReason, settings::Settings};

impl Machine {
    /// Opens as if results had, for a time or for as long as it would.
    pub(crate) fn open_as_usual(&mut self, settings: &Settings, now: u64, time: Option<u64>) -> Change {
        let mode = self.turn(Mode::Auto);
        let was_open = self.state == State::Open;
        let transition = (!was_open).then(|| self.open(settings, TransitionReason::Forced, now, 0.5));
        if let Some(time) = time {
            self.open_until = Some(now.saturating_add(time));
        }
        Change { transition, mode }
    }

    /// Half-opens an open breaker as if its time were over.
    pub(crate) fn half_open(&mut self, now: u64) -> Change {
        assert_eq!(self.state, State::Open, "only what is open half-opens");
        let mode = self.turn(Mode::Auto);
        let transition = Some(self.go(State::HalfOpen, TransitionReason::OpenTimeOver, now));
        Change { transition, mode }
    }

    /// What the probes of this generation gave so far.
    pub(crate) fn probe_counts(&self) -> crate::recent::Counts {
        self.probes.counts()
    }
}
