use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use tower_vitals_core::{Clock, ClosedLabel, ManualClock};

use super::{
    model::{Grant, Model, Told},
    plan::{self, Plan},
    steps::{Step, Time},
};
use crate::{
    Outcome, RejectReason, Verdict,
    machine::{Change, Purpose, Ticket},
    shared::{Listener, Shared},
    sync::{Arc, Mutex},
    timing::Timing,
};

/// Writes down what it is told.
#[derive(Default)]
struct Ear(Mutex<Vec<Told>>);

impl Listener for Ear {
    fn note(&self, _: &Shared, change: &Change, _: SystemTime) {
        let went = change.transition.map(|it| (it.from, it.to, it.reason, it.at, it.open_until));
        self.0.lock().unwrap().push(Told { went, mode: change.mode });
    }

    fn tell(&self) {}
}

/// Both breakers.
pub(super) struct Pair {
    plan: Plan,
    manual: ManualClock,
    clock: Clock,
    /// When they were made, by both clocks.
    made: (u64, SystemTime),
    real: Shared,
    ear: Arc<Ear>,
    model: Model,
    /// Calls on their way: the number of the model's, the other's ticket, and when it began.
    calls: Vec<(usize, Ticket, u64)>,
    attempts: u64,
}

impl Pair {
    pub(super) fn new(plan: Plan, before: u64) -> Self {
        let manual = ManualClock::new();
        let clock = Clock::manual(&manual);
        manual.advance(Duration::from_nanos(before));
        let ear = Arc::new(Ear::default());
        let listener: Arc<dyn Listener> = ear.clone();
        Self {
            model: Model::new(plan.clone(), clock.nanos()),
            real: Shared::new("reference", plan.settings(), clock.clone(), listener, None),
            made: (clock.nanos(), clock.wall(clock.now())),
            ear,
            plan,
            manual,
            clock,
            calls: Vec::new(),
            attempts: 0,
        }
    }

    pub(super) fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Acquire => return self.acquire(),
            Step::Calls(calls, verdict) => {
                for _ in 0..calls {
                    let before = self.calls.len();
                    self.acquire()?;
                    if self.calls.len() > before {
                        self.end(before, verdict)?;
                    }
                    self.compare()?;
                }
            }
            Step::End(..) | Step::EndElsewhere(..) | Step::Cancel(_) if self.calls.is_empty() => {}
            Step::End(call, verdict) => return self.end(call.index(self.calls.len()), verdict),
            Step::EndElsewhere(call, verdict) => {
                let call = call.index(self.calls.len());
                return std::thread::scope(|scope| scope.spawn(|| self.end(call, verdict)).join().unwrap());
            }
            Step::Cancel(call) => {
                let (number, ticket, _) = self.calls.swap_remove(call.index(self.calls.len()));
                self.real.cancel(ticket);
                self.model.cancel(number);
            }
            Step::Advance(time) => self.manual.advance(Duration::from_nanos(self.nanos(time))),
            Step::Order(order) => {
                self.real.order(order);
                self.model.order(order, self.clock.nanos());
            }
        }
        Ok(())
    }

    fn acquire(&mut self) -> Result<(), TestCaseError> {
        let now = self.clock.nanos();
        self.attempts += 1;
        let expected = self.model.acquire(now);
        let real = self.real.acquire().map(|(ticket, _)| ticket);
        let granted = match real.map(Ticket::purpose) {
            Ok(Purpose::Counted { .. }) => Ok(Grant::Counted),
            Ok(Purpose::Probe { .. }) => Ok(Grant::Probe),
            Ok(Purpose::Unjudged) => Ok(Grant::Unjudged),
            Err(refusal) => Err((refusal.reason, refusal.retry_after(now))),
        };
        prop_assert_eq!(granted, expected.map(|(_, grant)| grant));
        if let (Ok(ticket), Ok((number, _))) = (real, expected) {
            self.calls.push((number, ticket, now));
        }
        Ok(())
    }

    fn end(&mut self, call: usize, verdict: Verdict) -> Result<(), TestCaseError> {
        let now = self.clock.nanos();
        let (number, ticket, began) = self.calls.swap_remove(call);
        let is_timed = self.real.settings().is_timed();
        let timing = if is_timed {
            Timing::that_took(now - began)
        } else {
            Timing::NONE
        };
        let real = self.real.end(ticket, verdict, now, timing);
        let asked = verdict.retry_after().map(|asked| asked.as_nanos() as u64);
        prop_assert_eq!(real, self.model.end(number, verdict.kind(), asked, now));
        Ok(())
    }

    fn nanos(&self, time: Time) -> u64 {
        let now = self.clock.nanos();
        match time {
            Time::By(nanos) => nanos,
            Time::ToDeadline(less) => self.model.deadline().map_or(0, |until| until.saturating_sub(now + less)),
            Time::ToBucket(buckets, less) => match self.plan.window {
                plan::Length::Time(width) => (width * (buckets + 1) - (now - self.model.since) % width) - less,
                plan::Length::Count(_) => 0,
            },
            Time::ToHealth(less) => self.model.is_well_at().map_or(0, |well| well.saturating_sub(now + less)),
            Time::ToSlow(less) => self.plan.slow.map_or(0, |(after, _)| after - less),
        }
    }

    pub(super) fn compare(&self) -> Result<(), TestCaseError> {
        let (real, model, now) = (self.real.snapshot(), &self.model, self.clock.nanos());
        let of_wall = |wall: SystemTime| wall.duration_since(self.made.1).unwrap().as_nanos() as u64 + self.made.0;
        prop_assert_eq!((real.state, self.real.word().state()), (model.state, model.state));
        prop_assert_eq!((real.mode, self.real.word().mode()), (model.mode_at(now), model.mode));
        prop_assert_eq!(of_wall(real.since), model.went);
        prop_assert_eq!(real.open_until.map(of_wall), model.until);
        prop_assert_eq!(real.half_open_in_flight, model.in_flight());
        prop_assert_eq!((real.recent.total, real.recent.failed, real.recent.slow), model.recent(now));
        prop_assert_eq!(self.real.would_reject(), model.would_wait(now));
        prop_assert_eq!(&*self.ear.0.lock().unwrap(), &model.told);
        for outcome in Outcome::ALL.iter().copied() {
            let times = model.outcomes.iter().filter(|one| **one == outcome).count();
            prop_assert_eq!(real.totals.calls(outcome), times as u64, "{:?}", outcome);
        }
        for reason in RejectReason::ALL.iter().copied() {
            let count = |all: &[RejectReason]| all.iter().filter(|one| **one == reason).count() as u64;
            prop_assert_eq!(real.totals.rejected(reason), count(&model.rejected), "{:?}", reason);
            prop_assert_eq!(real.totals.would_reject(reason), count(&model.would_reject), "{:?}", reason);
        }
        for (from, to, reason, times) in real.transitions.each() {
            let went = model.told.iter().filter_map(|told| told.went);
            let expected = went.filter(|it| (it.0, it.1, it.2) == (from, to, reason)).count();
            prop_assert_eq!(times, expected as u64, "{:?} to {:?}: {:?}", from, to, reason);
        }
        Ok(())
    }

    /// Once nothing is on its way, every attempt was either rejected or ended in some way.
    pub(super) fn finish(mut self) -> Result<(), TestCaseError> {
        while !self.calls.is_empty() {
            self.end(0, Verdict::SUCCESS)?;
            self.compare()?;
        }
        let totals = self.real.snapshot().totals;
        let ended: u64 = Outcome::ALL.iter().map(|outcome| totals.calls(*outcome)).sum();
        let rejected: u64 = RejectReason::ALL.iter().map(|reason| totals.rejected(*reason)).sum();
        prop_assert_eq!(ended + rejected, self.attempts);
        Ok(())
    }
}
