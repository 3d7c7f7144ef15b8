//! Three threads for a while: one records, one scrapes, one makes new series.

use std::{
    hint::black_box,
    ops::RangeFrom,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tower_vitals::Clock;

use super::{
    histogram::Histogram,
    subject::{Counters, Scraped},
    waits::{self, Waits},
};
use crate::Result;

/// How often a new series appears.
pub(super) const NEW_EVERY: Duration = Duration::from_millis(1);

/// Series into which the recordings go, spread over all that exist.
pub(super) const RECORDED: usize = 64;

/// What lasts longer is looked at: did the thread just lack a core?
pub(super) const LONG: Duration = Duration::from_micros(10);

/// Recordings between two looks at the account of waits.
const BATCH: usize = 1024;

/// What a round found.
pub(super) struct Round {
    /// The times of the recordings.
    pub(super) times: Histogram,
    /// The same without what the thread waited for a core, where the system tells.
    pub(super) held: Option<Histogram>,
    /// How often the thread went to sleep, where the system tells.
    pub(super) sleeps: Option<u64>,
    pub(super) scrapes: usize,
    pub(super) new_series: usize,
}

/// Ends a round when it is dropped, so that nobody works for ever where a thread panics.
struct Ends<'a>(&'a AtomicBool);

/// Records into some of the `series` of `recorded`, while `busy`, which has as many series at the start, is scraped and grows.
pub(super) fn run<R, B>(recorded: &R, busy: &B, series: usize, length: Duration) -> Result<Round>
where
    R: Counters,
    B: Scraped,
{
    let keys: Vec<R::Key> = (0..RECORDED).map(|at| R::key(series / RECORDED * at)).collect();
    let all_are_ready = Barrier::new(3);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            all_are_ready.wait();
            scrape(busy, &over)
        });
        let inserter = scope.spawn(|| {
            all_are_ready.wait();
            insert(busy, series.., &over)
        });
        let recorder = scope.spawn(|| {
            let _ends = Ends(&over);
            all_are_ready.wait();
            // A thread's first recordings make what it keeps for itself.
            keys.iter().for_each(|key| recorded.record(key));
            record(recorded, &keys, length)
        });
        let round = recorder.join();
        let (Ok(round), Ok(scrapes), Ok(new_series)) = (round, scraper.join(), inserter.join()) else {
            return Err("a thread panicked".into());
        };
        Ok(Round {
            scrapes,
            new_series,
            ..round
        })
    })
}

/// Records until the round is over, and takes the time of each recording.
fn record<R: Counters>(subject: &R, keys: &[R::Key], length: Duration) -> Round {
    let clock = Clock::std();
    let mut waits = Waits::open();
    let mut times = Histogram::new();
    let mut held = Histogram::new();
    let sleeps_before = waits::sleeps();
    let mut done = clock.now();
    let end = done + length;
    while done < end {
        // So that waits too short to be looked at do not add up.
        waits.since_last();
        done = clock.now();
        for key in keys.iter().cycle().take(BATCH) {
            let mut start = clock.now();
            if start - done > LONG {
                // What was waited for between two recordings belongs to neither.
                waits.since_last();
                start = clock.now();
            }
            subject.record(key);
            done = clock.now();
            let time = done - start;
            times += time;
            held += if time > LONG {
                time.saturating_sub(waits.since_last())
            } else {
                time
            };
        }
    }
    let sleeps = waits::sleeps().zip(sleeps_before).map(|(after, before)| after - before);
    Round {
        times,
        held: waits.are_known().then_some(held),
        sleeps,
        scrapes: 0,
        new_series: 0,
    }
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Scrapes again and again, and says how often it came to the end.
fn scrape<B: Scraped>(subject: &B, over: &AtomicBool) -> usize {
    let mut scrapes = 0;
    while !over.load(Ordering::Relaxed) {
        subject.scrape(&mut |piece| {
            black_box(piece);
        });
        scrapes += 1;
    }
    scrapes
}

/// Makes new series, as many as are due, and says how many that were.
fn insert<B: Scraped>(subject: &B, mut numbers: RangeFrom<usize>, over: &AtomicBool) -> usize {
    let clock = Clock::std();
    let mut due = clock.now();
    let mut made = 0;
    while !over.load(Ordering::Relaxed) {
        due += NEW_EVERY;
        thread::sleep(due.saturating_duration_since(clock.now()));
        if let Some(number) = numbers.next() {
            subject.record(&B::key(number));
            made += 1;
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ours::Ours, unrelated::Unrelated},
        *,
    };

    /// Cannot be recorded into.
    struct Broken;

    impl Counters for Broken {
        type Key = ();

        fn empty() -> Self {
            Self
        }

        fn key(_: usize) {}

        fn record(&self, (): &()) {
            panic!("as it has to");
        }
    }

    #[test]
    fn a_round_ends_when_its_recorder_panics() {
        let busy = Unrelated::with_series(RECORDED);
        assert!(run(&Broken, &busy, RECORDED, Duration::from_secs(3_600)).is_err());
    }

    #[test]
    fn a_round_does_all_that_it_tells() {
        let series = 2 * RECORDED;
        let ours = Ours::with_series(series);
        let round = run(&ours, &ours, series, Duration::from_millis(50)).unwrap();
        assert!(round.scrapes > 0 && round.new_series > 0);
        assert_eq!(ours.family.len(), series + round.new_series);
        // What made the series, then what a recorder does once before it begins.
        let before = 2;
        for at in 0..RECORDED {
            let [queue, outcome] = Ours::key(2 * at);
            let recorded = ours.family.with([&queue, &outcome]).get();
            assert_eq!(recorded, before + round.times.len() / RECORDED as u64);
        }
        if let Some(held) = round.held {
            assert_eq!(held.len(), round.times.len());
        }
    }
}
