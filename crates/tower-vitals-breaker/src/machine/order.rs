use super::{Change, Machine, Transition};
use crate::{Mode, State, TransitionReason, settings::Settings};

/// What an operator orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Open, for so many nanoseconds or until another order.
    ForceOpen(Option<u64>),
    /// Let everything through and judge nothing.
    Disable,
    /// Go on by results, but let through what would be rejected.
    Shadow,
    /// Go on by results.
    Release,
    /// Forget all that was, in this mode; what was forced open is no longer.
    Reset,
}

impl Machine {
    /// Does what is ordered.
    pub(crate) fn order(&mut self, settings: &Settings, order: Order, now: u64) -> Change {
        match order {
            Order::ForceOpen(time) => self.force_open(now, time),
            Order::Disable => self.disable(now),
            Order::Shadow => self.leave(settings, Mode::Shadow, now),
            Order::Release => self.leave(settings, Mode::Auto, now),
            Order::Reset => self.reset(now),
        }
    }

    fn force_open(&mut self, now: u64, time: Option<u64>) -> Change {
        let mode = self.turn(Mode::ForcedOpen);
        // A time beyond all that the clock can tell is none.
        let open_until = time.map(|time| now.saturating_add(time)).filter(|until| *until < u64::MAX);
        let transition = (self.state != State::Open).then(|| self.go(State::Open, TransitionReason::Forced, now));
        self.open_until = open_until;
        self.not_before = 0;
        Change {
            transition: transition.map(|transition| Transition {
                open_until,
                ..transition
            }),
            mode,
        }
    }

    fn disable(&mut self, now: u64) -> Change {
        let mode = self.turn(Mode::Disabled);
        let transition = mode.and_then(|_| self.start_again(TransitionReason::Disabled, now));
        Change { transition, mode }
    }

    /// Leaves a mode for another one: what is forced open closes. One whose time is over is open like any other by now, and the next
    /// call probes.
    fn leave(&mut self, settings: &Settings, to: Mode, now: u64) -> Change {
        let is_forced = self.mode(settings, now) == Mode::ForcedOpen;
        let mode = self.turn(to);
        let transition = is_forced.then(|| self.close(TransitionReason::Released, now));
        Change { transition, mode }
    }

    fn reset(&mut self, now: u64) -> Change {
        let mode = (self.mode == Mode::ForcedOpen).then(|| self.turn(Mode::Auto)).flatten();
        let transition = self.start_again(TransitionReason::Reset, now);
        Change { transition, mode }
    }

    /// Closes with nothing known. Two generations pass where it was closed already, so that there is one of which nothing is kept.
    fn start_again(&mut self, reason: TransitionReason, now: u64) -> Option<Transition> {
        self.attempts = 0;
        if self.state == State::Closed {
            self.generation += 2;
            self.since = now;
            self.not_before = 0;
            return None;
        }
        Some(self.close(reason, now))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    #![allow(clippy::unwrap_used)] // there is nothing but tests

    use std::time::Duration;

    use tower_vitals_core::{Clock, ManualClock, Vitals};

    use crate::{CircuitBreaker, State, Verdict};

    fn breaker() -> (CircuitBreaker, ManualClock) {
        let manual = ManualClock::new();
        let vitals = Vitals::builder().clock(Clock::manual(&manual)).build().unwrap();
        let breaker = CircuitBreaker::builder("b").consecutive_failures(2).build(&vitals);
        (breaker.unwrap(), manual)
    }

    #[test]
    fn what_was_forced_open_for_a_time_that_is_over_probes_whoever_releases_it() {
        for release in [CircuitBreaker::release, CircuitBreaker::shadow] {
            let (breaker, manual) = breaker();
            breaker.force_open_for(Duration::from_secs(30));
            manual.advance(Duration::from_secs(30));
            release(&breaker);
            assert_eq!(breaker.state(), State::Open);
            let _probe = breaker.try_acquire().unwrap();
            assert_eq!(breaker.state(), State::HalfOpen);
        }
    }

    #[test]
    fn before_it_is_over_a_release_closes() {
        for release in [CircuitBreaker::release, CircuitBreaker::shadow] {
            let (breaker, manual) = breaker();
            breaker.force_open_for(Duration::from_secs(30));
            manual.advance(Duration::from_secs(29));
            release(&breaker);
            assert_eq!(breaker.state(), State::Closed);
        }
    }

    #[test]
    fn a_time_beyond_the_clock_is_without_end() {
        let (breaker, manual) = breaker();
        manual.advance(Duration::from_nanos(1));
        for time in [Duration::MAX, Duration::from_nanos(u64::MAX - 1)] {
            breaker.force_open_for(time);
            assert_eq!(breaker.try_acquire().unwrap_err().retry_after(), None, "{time:?}");
            assert_eq!(breaker.status().open_until, None, "{time:?}");
        }
    }

    #[test]
    fn a_wish_to_be_left_alone_ends_with_an_order() {
        let (breaker, manual) = breaker();
        let asks = Verdict::FAILURE.with_retry_after(Duration::from_secs(60));
        breaker.try_acquire().unwrap().record(asks);
        breaker.force_open_for(Duration::from_secs(1));
        manual.advance(Duration::from_secs(1));
        breaker.try_acquire().unwrap().record(Verdict::FAILURE);
        let left = breaker.try_acquire().unwrap_err().retry_after().unwrap();
        assert!(left < Duration::from_secs(50), "{left:?}");
    }
}
