use super::{Model, Told, Went};
use crate::{Mode, State, TransitionReason, machine::Order, reference::plan::OpenTime};

impl Model {
    pub(in super::super) fn order(&mut self, order: Order, now: u64) {
        let told = match order {
            Order::ForceOpen(time) => {
                let mode = self.turn(Mode::ForcedOpen);
                let until = time.map(|time| now + time);
                let is_open = self.state == State::Open;
                let went = (!is_open).then(|| self.go(State::Open, TransitionReason::Forced, now, until));
                self.until = until;
                self.asks.clear();
                Told { went, mode }
            }
            Order::Disable if self.mode == Mode::Disabled => return,
            Order::Disable => {
                let mode = self.turn(Mode::Disabled);
                let went = self.start_again(TransitionReason::Disabled, now);
                Told { went, mode }
            }
            Order::Shadow | Order::Release => {
                let is_shadow = matches!(order, Order::Shadow);
                let is_forced = self.mode_at(now) == Mode::ForcedOpen;
                let mode = self.turn(if is_shadow { Mode::Shadow } else { Mode::Auto });
                let went = is_forced.then(|| self.close(TransitionReason::Released, now));
                Told { went, mode }
            }
            Order::Reset => {
                let is_forced = self.mode == Mode::ForcedOpen;
                let mode = self.turn(if is_forced { Mode::Auto } else { self.mode });
                let went = self.start_again(TransitionReason::Reset, now);
                Told { went, mode }
            }
        };
        self.tell(told);
    }

    fn start_again(&mut self, reason: TransitionReason, now: u64) -> Option<Went> {
        self.openings = 0;
        let was_closed = self.state == State::Closed;
        let went = self.close(reason, now);
        (!was_closed).then_some(went)
    }

    pub(super) fn close(&mut self, reason: TransitionReason, now: u64) -> Went {
        self.asks.clear();
        self.go(State::Closed, reason, now, None)
    }

    pub(super) fn open(&mut self, reason: TransitionReason, now: u64) {
        let mut time = match self.plan.open {
            OpenTime::Constant(time) => time,
            OpenTime::Growing { first, .. } => first,
        };
        if self.is_well_at().is_some_and(|well| now >= well) {
            self.openings = 0;
        }
        if let OpenTime::Growing { longest, multiplier, .. } = self.plan.open {
            (0..self.openings).for_each(|_| time = ((time as f64 * multiplier) as u64).min(longest));
        }
        self.openings += 1;
        let asked = self.asks.drain(..).max().unwrap_or(0);
        let went = Some(self.go(State::Open, reason, now, Some(asked.max(now + time))));
        self.tell(Told { went, mode: None });
    }

    /// When a closed breaker was well for long enough to forget how often it opened.
    pub(in super::super) fn is_well_at(&self) -> Option<u64> {
        let closed_for = match self.plan.open {
            OpenTime::Constant(_) => 0,
            OpenTime::Growing {
                longest, healthy_after, ..
            } => healthy_after.unwrap_or(longest),
        };
        (self.state == State::Closed).then_some(self.since + closed_for)
    }

    pub(super) fn go(&mut self, to: State, reason: TransitionReason, now: u64, until: Option<u64>) -> Went {
        let from = std::mem::replace(&mut self.state, to);
        self.epoch += 1;
        (self.since, self.until) = (now, until);
        if from != to {
            self.went = now;
        }
        (from, to, reason, now, until)
    }

    pub(super) fn turn(&mut self, to: Mode) -> Option<(Mode, Mode)> {
        let from = std::mem::replace(&mut self.mode, to);
        (from != to).then_some((from, to))
    }

    pub(super) fn tell(&mut self, told: Told) {
        if told != Told::default() {
            self.told.push(told);
        }
    }
}
