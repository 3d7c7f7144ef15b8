//! Stops others in the middle of their work and sees whether recordings still get through.
//!
//! Who is stopped keeps every lock that is held at that place, so a recording that takes it never ends. One that ends took none.

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use super::{
    ours::{OurTable, Ours},
    subject::Counters,
};
use crate::Result;

#[cfg(feature = "rivals")]
use super::prometheus_client::PrometheusClient;

/// Recordings that have to get through.
pub(super) const RECORDINGS: usize = 1_000_000;

/// How long they may take: many times what they need.
pub(super) const LIMIT: Duration = Duration::from_secs(3);

/// How long whoever wants a new series is given to get into everybody's way.
const MEANWHILE: Duration = Duration::from_millis(200);

/// Series that exist.
const SERIES: usize = 1_000;

/// Somebody to stop in the middle of something.
pub(super) struct Scene {
    pub(super) name: &'static str,
    /// Whether it is our recordings that may not be stuck.
    pub(super) is_ours: bool,
    pub(super) stopped: &'static str,
    pub(super) play: fn() -> Result<Passed>,
}

/// What got through meanwhile.
pub(super) struct Passed {
    pub(super) new_series: bool,
    pub(super) recordings: bool,
}

/// Where a thread stops until [`stop`]'s result is dropped.
pub(super) struct Pause {
    arrived: Sender<()>,
    may_go_on: Receiver<()>,
}

const SCRAPE: &str = "a scrape within a family";
const RECORDING: &str = "a recording between lookup and count";
const INSERTION: &str = "an insertion that has the writers' lock";

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "tower-vitals",
        is_ours: true,
        stopped: SCRAPE,
        play: || play(Ours::stop_scraping),
    },
    Scene {
        name: "tower-vitals",
        is_ours: true,
        stopped: RECORDING,
        play: || play(Ours::stop_recording),
    },
    Scene {
        name: "tower-vitals, its table",
        is_ours: true,
        stopped: INSERTION,
        play: || play(OurTable::stop_inserting),
    },
    #[cfg(feature = "rivals")]
    Scene {
        name: "prometheus-client",
        is_ours: false,
        stopped: SCRAPE,
        play: || play(PrometheusClient::stop_scraping),
    },
    #[cfg(feature = "rivals")]
    Scene {
        name: "prometheus-client",
        is_ours: false,
        stopped: RECORDING,
        play: || play(PrometheusClient::stop_recording),
    },
    #[cfg(feature = "rivals")]
    Scene {
        name: "prometheus-client",
        is_ours: false,
        stopped: INSERTION,
        play: || play(PrometheusClient::stop_inserting),
    },
];

impl Pause {
    pub(super) fn here(self) {
        let _ = self.arrived.send(());
        let _ = self.may_go_on.recv();
    }
}

fn play<C: Counters>(work: fn(&C, Pause)) -> Result<Passed> {
    let counters = Arc::new(C::with_series(SERIES));
    let _stopped = stop(&counters, work)?;
    let new_series = start(&counters, |counters| counters.record(&C::key(SERIES)));
    let new_series = new_series.recv_timeout(MEANWHILE).is_ok();
    let recordings = start(&counters, |counters| {
        let key = C::key(0);
        for _ in 0..RECORDINGS {
            counters.record(&key);
        }
    });
    Ok(Passed {
        new_series,
        recordings: recordings.recv_timeout(LIMIT).is_ok(),
    })
}

/// Has a thread work until it pauses. It goes on when the result is dropped.
fn stop<C: Counters>(counters: &Arc<C>, work: fn(&C, Pause)) -> Result<Sender<()>> {
    let (arrived, has_arrived) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    start(counters, move |counters| work(counters, Pause { arrived, may_go_on }));
    has_arrived
        .recv_timeout(LIMIT)
        .map_err(|_| "who was to be stopped never came there")?;
    Ok(go_on)
}

/// Has a thread work, and tells when it is done. Nobody waits for the thread, which may never end.
fn start<C: Counters>(counters: &Arc<C>, work: impl FnOnce(&C) + Send + 'static) -> Receiver<()> {
    let (done, is_done) = mpsc::channel();
    let counters = Arc::clone(counters);
    thread::spawn(move || {
        work(&counters);
        let _ = done.send(());
    });
    is_done
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Locked(Mutex<usize>);

    impl Counters for Locked {
        type Key = usize;

        fn empty() -> Self {
            Self(Mutex::new(0))
        }

        fn key(number: usize) -> usize {
            number
        }

        fn record(&self, _: &usize) {
            *self.0.lock().unwrap() += 1;
        }
    }

    #[test]
    fn a_lock_that_is_held_stops_recordings() {
        let passed = play(|counters: &Locked, pause| {
            let _held = counters.0.lock();
            pause.here();
        });
        let Passed { new_series, recordings } = passed.unwrap();
        assert!(!new_series && !recordings);
    }
}
