use std::{array, ops::Deref, time::SystemTime};

use super::Instrument;
use crate::{
    Kind,
    encode::{Number, Point},
    sharded::Sharded,
    sync::atomic::{AtomicU64, Ordering, fence},
};

const STARTED: usize = 0;
const ENDED: usize = 1;

/// A gauge of what is going on at the moment, such as requests or jobs. It is never negative.
///
/// Starts and ends are counted apart, and a scrape reads the ends first: whatever it sees ended, it also sees started, from any thread.
///
/// # Example
/// ```
/// let vitals = tower_vitals_core::Vitals::new();
/// let running = vitals.in_flight("jobs_running", "Jobs that run now").labels(["queue"])?;
/// {
///     let _job = running.with(["mail"]).hold().start();
///     assert_eq!(running.with(["mail"]).get(), 1);
/// }
/// assert_eq!(running.with(["mail"]).get(), 0);
/// # Ok::<(), tower_vitals_core::RegisterError>(())
/// ```
#[derive(Debug)]
pub struct InFlight {
    words: Sharded<[AtomicU64; 2]>,
}

/// Counts one as in flight until it is dropped.
#[derive(Debug)]
#[must_use = "what is in flight ends when the guard is dropped"]
pub struct InFlightGuard<H: Deref<Target = InFlight>> {
    in_flight: H,
}

impl InFlight {
    /// Counts a start. Each must have its [`end`](Self::end); [`start`](crate::Handle::start) on a handle takes care of that.
    #[inline]
    pub fn begin(&self) {
        self.words.mine()[STARTED].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an end, on any thread.
    #[inline]
    pub fn end(&self) {
        // Pairs with the fence in `get`: who reads this end reads its start.
        self.words.mine()[ENDED].fetch_add(1, Ordering::Release);
    }

    /// How many are in flight.
    #[must_use]
    pub fn get(&self) -> u64 {
        let ended = self.sum(ENDED);
        fence(Ordering::Acquire);
        self.sum(STARTED).saturating_sub(ended)
    }

    fn sum(&self, word: usize) -> u64 {
        self.words.sum(word)
    }
}

impl<H: Deref<Target = InFlight>> InFlightGuard<H> {
    pub(crate) fn new(in_flight: H) -> Self {
        in_flight.begin();
        Self { in_flight }
    }
}

impl<H: Deref<Target = InFlight>> Drop for InFlightGuard<H> {
    fn drop(&mut self) {
        self.in_flight.end();
    }
}

impl Instrument for InFlight {
    type Config = ();

    const KIND: Kind = Kind::Gauge;
    const NAME: &'static str = "in-flight";

    fn new((): &()) -> Self {
        Self {
            words: Sharded::new(array::from_fn(|_| AtomicU64::new(0))),
        }
    }

    fn is_idle(&self) -> bool {
        self.get() == 0
    }

    fn point(&self, (): &(), _: SystemTime, _: &mut Vec<u64>, show: &mut dyn FnMut(&Point<'_>)) {
        show(&Point::Gauge(Number::Unsigned(self.get())));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{atomic::AtomicBool, mpsc};

    use super::*;

    #[test]
    fn ends_on_other_threads_never_outrun_their_starts() {
        let in_flight = InFlight::new(&());
        let stop = AtomicBool::new(false);
        let (hand_over, take) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let (in_flight, stop) = (&in_flight, &stop);
            scope.spawn(move || {
                for _ in 0..100_000 {
                    in_flight.begin();
                    hand_over.send(()).unwrap();
                }
            });
            scope.spawn(move || {
                for () in take {
                    in_flight.end();
                }
                stop.store(true, Ordering::Release);
            });
            while !stop.load(Ordering::Acquire) {
                // Without the order in `get` this difference wraps, which saturating would hide.
                let ended = in_flight.sum(ENDED);
                fence(Ordering::Acquire);
                assert!(in_flight.sum(STARTED) >= ended);
            }
        });
        assert_eq!(in_flight.get(), 0);
    }
}
