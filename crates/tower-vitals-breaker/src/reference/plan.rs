use std::time::Duration;

use proptest::prelude::*;

use crate::{CircuitBreaker, HalfOpen, OpenFor, Window, settings::Settings};

pub(super) const MS: u64 = 1_000_000;

/// What a breaker is told, in plain numbers. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) window: Length,
    pub(super) minimum: Option<u32>,
    pub(super) consecutive: Option<u32>,
    pub(super) failure_rate: Option<f64>,
    pub(super) slow: Option<(u64, f64)>,
    pub(super) open: OpenTime,
    pub(super) probes: u32,
    pub(super) at_once: Option<u32>,
    pub(super) probe_rate: Option<f64>,
    pub(super) lease: Option<u64>,
    pub(super) cap: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    /// The width of a bucket, of which there are ten.
    Time(u64),
    Count(u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum OpenTime {
    Constant(u64),
    Growing {
        first: u64,
        longest: u64,
        multiplier: f64,
        healthy_after: Option<u64>,
    },
}

impl Plan {
    pub(super) fn settings(&self) -> Settings {
        let nanos = Duration::from_nanos;
        let mut builder = CircuitBreaker::builder("reference").window(match self.window {
            Length::Time(bucket) => Window::time(nanos(bucket * 10)),
            Length::Count(size) => Window::count(size as usize),
        });
        if let Some(minimum) = self.minimum {
            builder = builder.minimum_calls(minimum);
        }
        if let Some(most) = self.consecutive {
            builder = builder.consecutive_failures(most);
        }
        if let Some(rate) = self.failure_rate {
            builder = builder.failure_rate(rate);
        }
        if let Some((after, rate)) = self.slow {
            builder = builder.slow_calls(nanos(after), rate);
        }
        if let Some(lease) = self.lease {
            builder = builder.lease(nanos(lease));
        }
        builder = builder.open_for(self.open_for()).half_open(self.half_open());
        builder.retry_after_cap(nanos(self.cap)).settings().unwrap()
    }

    fn open_for(&self) -> OpenFor {
        let nanos = Duration::from_nanos;
        match self.open {
            OpenTime::Constant(time) => OpenFor::constant(nanos(time)),
            OpenTime::Growing {
                first,
                longest,
                multiplier,
                healthy_after,
            } => {
                let open_for = OpenFor::exponential(nanos(first), nanos(longest));
                let open_for = open_for.multiplier(multiplier).jitter(0.0);
                healthy_after.map_or(open_for, |after| open_for.reset_after(nanos(after)))
            }
        }
    }

    fn half_open(&self) -> HalfOpen {
        let mut half_open = HalfOpen::new(self.probes);
        if let Some(at_once) = self.at_once {
            half_open = half_open.at_once(at_once);
        }
        if let Some(rate) = self.probe_rate {
            half_open = half_open.failure_rate(rate);
        }
        half_open
    }
}

fn rates() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.5), Just(1.0), Just(0.25), Just(0.6), Just(0.1), 0.05..1.0]
}

fn lengths() -> impl Strategy<Value = Length> {
    prop_oneof![
        (1..20_u64).prop_map(|ms| Length::Time(ms * MS)),
        (1..13_u32).prop_map(Length::Count),
    ]
}

fn open_times() -> impl Strategy<Value = OpenTime> {
    let healthy_after = prop::option::of((0..80_u64).prop_map(|ms| ms * MS));
    let growing = (
        1..20_u64,
        1..9_u64,
        prop::sample::select(vec![1.0, 1.5, 2.0, 3.0]),
        healthy_after,
    );
    prop_oneof![
        (1..40_u64).prop_map(|ms| OpenTime::Constant(ms * MS)),
        growing.prop_map(|(first, times, multiplier, healthy_after)| OpenTime::Growing {
            first: first * MS,
            longest: first * times * MS,
            multiplier,
            healthy_after,
        }),
    ]
}

pub(super) fn plans() -> impl Strategy<Value = Plan> {
    let some = |range: std::ops::Range<u32>| prop::option::of(range);
    let trips = (
        some(1..6),
        prop::option::of(rates()),
        prop::option::of(((1..20_u64).prop_map(|ms| ms * MS), rates())),
    );
    let half_open = (1..6_u32, some(1..6), prop::option::of(rates()));
    let lease = prop::option::weighted(0.8, (1..60_u64).prop_map(|ms| ms * MS));
    let cap = prop_oneof![Just(0), Just(50 * MS), Just(300_000 * MS)];
    let plan = (
        lengths(),
        prop::option::weighted(0.8, 1..9_u32),
        trips,
        open_times(),
        half_open,
        lease,
        cap,
    );
    plan.prop_map(|(window, minimum, trips, open, half_open, lease, cap)| {
        let most = match window {
            Length::Time(_) => u32::MAX,
            Length::Count(size) => size,
        };
        let (probes, at_once, probe_rate) = half_open;
        let (consecutive, failure_rate, slow) = trips;
        Plan {
            window,
            minimum: minimum.map(|minimum| minimum.min(most)),
            consecutive,
            failure_rate,
            slow,
            open,
            probes,
            at_once: at_once.map(|at_once| at_once.min(probes)),
            probe_rate,
            lease,
            cap,
        }
    })
}
