//! Counts atomic instructions: those that read memory and write it in one step, at least one of which is in every lock that is taken.

use std::sync::Mutex;

use super::{
    ours::{OurTable, Ours},
    subject::Counters,
};
use crate::{Result, callgrind};

#[cfg(feature = "rivals")]
use super::prometheus_client::PrometheusClient;

const ITERATIONS: u32 = 1_000;

/// Something to do again and again.
pub(super) struct Work {
    pub(super) name: &'static str,
    repeat: fn(u32),
}

pub(super) const FAMILY: &str = "recording into a family";
pub(super) const TABLE: &str = "the same into its table alone";

pub(super) const WORK: &[Work] = &[
    Work {
        name: FAMILY,
        repeat: |count| {
            let ours = Ours::with_series(1);
            let key = Ours::key(0);
            repeat(&|| ours.record(&key), count);
        },
    },
    Work {
        name: TABLE,
        repeat: |count| {
            let table = OurTable::with_series(1);
            let key = OurTable::key(0);
            repeat(&|| table.record(&key), count);
        },
    },
    Work {
        name: "counting with a handle",
        repeat: |count| {
            let [queue, outcome] = Ours::key(0);
            let handle = Ours::empty().family.with([&queue, &outcome]).hold();
            repeat(&|| handle.inc(), count);
        },
    },
    Work {
        name: "a Mutex that nobody else wants",
        repeat: |count| {
            let mutex = Mutex::new(0_u64);
            repeat(
                &|| {
                    if let Ok(mut value) = mutex.lock() {
                        *value += 1;
                    }
                },
                count,
            );
        },
    },
    #[cfg(feature = "rivals")]
    Work {
        name: "prometheus-client",
        repeat: |count| {
            let theirs = PrometheusClient::with_series(1);
            let key = PrometheusClient::key(0);
            repeat(&|| theirs.record(&key), count);
        },
    },
];

impl Work {
    /// Atomic instructions of one repetition.
    pub(super) fn atomics(&self) -> Result<f64> {
        callgrind::atomics_per_iteration("benches::stall::atomics::repeat", &["stall", self.name], ITERATIONS)
    }
}

/// Does one kind of work so many times, and nothing else.
pub(crate) fn child(arguments: &[&str]) -> Result<()> {
    let [name, count] = arguments else {
        return Err("expected a name and a number".into());
    };
    let work = WORK.iter().find(|work| work.name == *name);
    (work.ok_or_else(|| format!("nothing called {name:?}"))?.repeat)(count.parse()?);
    Ok(())
}

/// The one function that callgrind collects in, so it stays a function and has no closure, whose name would begin with its own.
#[inline(never)]
fn repeat(work: &dyn Fn(), count: u32) {
    for _ in 0..count {
        work();
    }
}
