use std::time::Duration;

use proptest::prelude::*;

use super::plan::MS;
use crate::{Verdict, machine::Order};

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
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
pub(super) enum Time {
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

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
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
