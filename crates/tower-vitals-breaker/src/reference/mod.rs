//! A breaker against a slow and obvious one: whatever comes in whatever order, both must say the same.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)] // a test whose numbers are small

mod model;
mod plan;

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use tower_vitals_core::{Clock, ManualClock};

use self::{
    model::{Grant, Model, Order, Told},
    plan::{MS, Plan, plans},
};
use crate::{
    Outcome, RejectReason, Verdict,
    machine::{Change, Ticket},
    shared::{Listener, Shared},
    sync::{Arc, Mutex},
};

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire,
    /// So many calls, one after the other, that end as they begin.
    Calls(u32, Verdict),
    /// A call ends: which of those on their way, how, and how long it asks to be left alone.
    End(prop::sample::Index, Verdict),
    /// The same, on a thread of its own.
    EndElsewhere(prop::sample::Index, Verdict),
    Cancel(prop::sample::Index),
    Advance(Time),
    Order(Order),
}

/// How far time goes on. What it goes up to is often where something changes, or a nanosecond before.
#[derive(Clone, Copy, Debug)]
enum Time {
    By(u64),
    /// Until the open time or the lease is over, less so much.
    ToDeadline(u64),
    /// To the border of a bucket, and so many buckets on, less so much.
    ToBucket(u64, u64),
    /// Until a call that has just begun is slow, less so much.
    ToSlow(u64),
    /// Until a closed breaker was well for long enough, less so much.
    ToHealth(u64),
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    let kinds = prop_oneof![
        4 => Just(Verdict::SUCCESS),
        4 => Just(Verdict::FAILURE),
        1 => Just(Verdict::SOFT_FAILURE),
        1 => Just(Verdict::TIMEOUT),
        1 => Just(Verdict::IGNORED),
        1 => Just(Verdict::PANICKED),
    ];
    let asked = prop_oneof![0..100_u64, 0..2000_u64].prop_map(Duration::from_millis);
    let asked = prop::option::weighted(0.3, asked);
    (kinds, asked).prop_map(|(verdict, asked)| asked.map_or(verdict, |asked| verdict.with_retry_after(asked)))
}

fn times() -> impl Strategy<Value = Time> {
    prop_oneof![
        (0..3_u64).prop_map(Time::By),
        (0..40 * MS).prop_map(Time::By),
        (0..400_u64).prop_map(|ms| Time::By(ms * MS)),
        (0..2_u64).prop_map(Time::ToDeadline),
        (0..2_u64).prop_map(Time::ToDeadline),
        (0..12_u64, 0..2_u64).prop_map(|(buckets, less)| Time::ToBucket(buckets, less)),
        (0..2_u64).prop_map(Time::ToSlow),
        (0..2_u64).prop_map(Time::ToHealth),
    ]
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::ForceOpen(None)),
        (0..60_u64).prop_map(|ms| Order::ForceOpen(Some(ms * MS))),
        Just(Order::Disable),
        Just(Order::Shadow),
        Just(Order::Release),
        Just(Order::Release),
        Just(Order::Reset),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let step = prop_oneof![
        40 => Just(Step::Acquire),
        34 => (index(), verdicts()).prop_map(|(call, verdict)| Step::End(call, verdict)),
        4 => (index(), verdicts()).prop_map(|(call, verdict)| Step::EndElsewhere(call, verdict)),
        4 => index().prop_map(Step::Cancel),
        5 => (1..8_u32, verdicts()).prop_map(|(calls, verdict)| Step::Calls(calls, verdict)),
        20 => times().prop_map(Step::Advance),
        4 => orders().prop_map(Step::Order),
    ];
    prop::collection::vec(step, 0..250)
}

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
struct Pair {
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
    fn new(plan: Plan, before: u64) -> Self {
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

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
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
                self.real.order(|machine, now| match order {
                    Order::ForceOpen(time) => machine.force_open(now, time),
                    Order::Disable => machine.disable(now),
                    Order::Shadow => machine.shadow(now),
                    Order::Release => machine.release(now),
                    Order::Reset => machine.reset(now),
                });
                self.model.order(order, self.clock.nanos());
            }
        }
        Ok(())
    }

    fn acquire(&mut self) -> Result<(), TestCaseError> {
        let now = self.clock.nanos();
        self.attempts += 1;
        let expected = self.model.acquire(now);
        let real = self.real.acquire();
        let granted = match &real {
            Ok(Ticket::Counted { .. }) => Ok(Grant::Counted),
            Ok(Ticket::Probe { .. }) => Ok(Grant::Probe),
            Ok(Ticket::Unjudged) => Ok(Grant::Unjudged),
            Err(refusal) => Err((refusal.reason, refusal.retry_after)),
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
        let took = self.real.is_timed().then(|| now - began);
        let real = self.real.end(ticket, verdict, now, took);
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

    fn compare(&self) -> Result<(), TestCaseError> {
        let (real, model, now) = (self.real.snapshot(), &self.model, self.clock.nanos());
        let of_wall = |wall: SystemTime| wall.duration_since(self.made.1).unwrap().as_nanos() as u64 + self.made.0;
        prop_assert_eq!((real.state, self.real.word().state()), (model.state, model.state));
        prop_assert_eq!((real.mode, self.real.word().mode()), (model.mode_at(now), model.mode));
        prop_assert_eq!(of_wall(real.since), model.since);
        prop_assert_eq!(real.open_until.map(of_wall), model.until);
        prop_assert_eq!(real.half_open_in_flight, model.in_flight());
        prop_assert_eq!((real.recent.total, real.recent.failed, real.recent.slow), model.recent(now));
        prop_assert_eq!(self.real.would_reject(), model.would_wait(now));
        prop_assert_eq!(&*self.ear.0.lock().unwrap(), &model.told);
        for outcome in OUTCOMES {
            let times = model.outcomes.iter().filter(|one| **one == outcome).count();
            prop_assert_eq!(real.totals.calls(outcome), times as u64, "{:?}", outcome);
        }
        for reason in REASONS {
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
    fn finish(mut self) -> Result<(), TestCaseError> {
        while !self.calls.is_empty() {
            self.end(0, Verdict::SUCCESS)?;
            self.compare()?;
        }
        let totals = self.real.snapshot().totals;
        let ended: u64 = OUTCOMES.iter().map(|outcome| totals.calls(*outcome)).sum();
        let rejected: u64 = REASONS.iter().map(|reason| totals.rejected(*reason)).sum();
        prop_assert_eq!(ended + rejected, self.attempts);
        Ok(())
    }
}

const OUTCOMES: [Outcome; 9] = [
    Outcome::Success,
    Outcome::Failure,
    Outcome::Timeout,
    Outcome::SlowSuccess,
    Outcome::SlowFailure,
    Outcome::Ignored,
    Outcome::Cancelled,
    Outcome::Panicked,
    Outcome::Stale,
];

const REASONS: [RejectReason; 3] = [RejectReason::Open, RejectReason::HalfOpenFull, RejectReason::ForcedOpen];

proptest! {
    #[test]
    fn it_does_as_the_reference_does(plan in plans(), before in 0..1000 * MS, steps in steps()) {
        let mut pair = Pair::new(plan, before);
        pair.compare()?;
        for step in steps {
            pair.step(step)?;
            pair.compare()?;
        }
        pair.finish()?;
    }
}
