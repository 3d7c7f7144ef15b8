//! How long a request takes: batches of the base and of an entry by turns, on one thread or on several at once.

use std::{
    fs, hint,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::{
    entries::{Entry, Serve},
    quartiles::Quartiles,
};
use crate::{Result, instant};

/// Pairs of batches of each entry.
pub(super) const PAIRS: usize = 401;

/// Requests of a batch, on each thread. It is short enough that most batches run undisturbed.
pub(super) const BATCH: u32 = 500;

/// Requests before each batch that are not timed: the caches hold what ran before.
const WARM_UP: u32 = 100;

/// What an entry adds to the base, in nanoseconds a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Added {
    /// What the base takes (the median).
    pub(super) base: f64,
    /// The differences of the pairs.
    pub(super) added: Quartiles,
    /// The pairs during which no thread was taken off its core.
    pub(super) pairs: usize,
}

/// Measures a group on that many threads. The first of the group is what the others add to; against itself, it shows the noise.
pub(super) fn measure(group: &[Entry], threads: usize) -> Result<Vec<Added>> {
    if thread::available_parallelism()?.get() < threads {
        return Err(format!("{threads} threads do not run at once on this machine").into());
    }
    let lines = [Line::of(threads), Line::of(threads)];
    let runs: Vec<Vec<Pair>> = thread::scope(|scope| {
        let threads: Vec<_> = scripts(group, threads)
            .into_iter()
            .map(|script| scope.spawn(|| run(script, &lines)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread that serves does not panic"))
            .collect()
    });
    let measured = group.iter().enumerate().map(|(index, entry)| {
        let pairs = (0..PAIRS).map(|round| runs.iter().map(|run| run[round * group.len() + index]).collect());
        added(pairs).ok_or_else(|| format!("{}: no batch ran undisturbed on {threads} threads", entry.name).into())
    });
    measured.collect()
}

/// What one thread has of each entry: that which serves the base, and that which serves the entry.
type Script = Vec<[Serve; 2]>;

/// The nanoseconds of a request in a batch of the base and in one of an entry, unless the system took the thread off its core.
type Pair = [Option<f64>; 2];

/// Where threads wait for each other. They stay awake, because to be woken takes a good part of a batch.
struct Line {
    threads: usize,
    arrived: AtomicUsize,
}

/// The scripts of the threads.
fn scripts(group: &[Entry], threads: usize) -> Vec<Script> {
    let mut scripts: Vec<Script> = (0..threads).map(|_| Script::new()).collect();
    for entry in group {
        let serves = group[0].serve_on(threads).into_iter().zip(entry.serve_on(threads));
        for (script, (base, entry)) in scripts.iter_mut().zip(serves) {
            script.push([base, entry]);
        }
    }
    scripts
}

/// One thread's rounds, each with a pair of every entry. The base goes first in every other round.
fn run(mut script: Script, lines: &[Line; 2]) -> Vec<Pair> {
    let mut pairs = Vec::with_capacity(PAIRS * script.len());
    for round in 0..PAIRS {
        for [base, entry] in &mut script {
            pairs.push(if round % 2 == 0 {
                [time(base, lines), time(entry, lines)]
            } else {
                let entry = time(entry, lines);
                [time(base, lines), entry]
            });
        }
    }
    pairs
}

/// A batch on one thread. All threads serve for as long as any of them is timed, so one that is slower than the others has their
/// company all the same.
fn time(serve: &mut Serve, [start, finish]: &[Line; 2]) -> Option<f64> {
    start.wait(hint::spin_loop);
    let before = dispatches();
    serve(WARM_UP);
    let start = instant::now();
    serve(BATCH);
    let duration = instant::now().saturating_duration_since(start);
    finish.wait(|| serve(1));
    (dispatches() == before).then(|| duration.as_secs_f64() * 1e9 / f64::from(BATCH))
}

/// How often the system has put this thread on a core, where it says so.
fn dispatches() -> Option<u64> {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    statistics.split_whitespace().nth(2)?.parse().ok()
}

/// Sums up the pairs of an entry, each with that of every thread.
fn added(pairs: impl Iterator<Item = Vec<Pair>>) -> Option<Added> {
    let (base, added): (Vec<f64>, Vec<f64>) = pairs
        .filter_map(|threads| {
            let [base, entry] = [
                mean(threads.iter().map(|pair| pair[0]))?,
                mean(threads.iter().map(|pair| pair[1]))?,
            ];
            Some((base, entry - base))
        })
        .unzip();
    Some(Added {
        base: Quartiles::of(base)?.median,
        pairs: added.len(),
        added: Quartiles::of(added)?,
    })
}

/// The mean of the threads, unless one has no figure.
fn mean(threads: impl ExactSizeIterator<Item = Option<f64>>) -> Option<f64> {
    let count = threads.len() as f64;
    Some(threads.sum::<Option<f64>>()? / count)
}

impl Line {
    fn of(threads: usize) -> Self {
        Self {
            threads,
            arrived: AtomicUsize::new(0),
        }
    }

    /// Returns when all threads have come as often as this one.
    fn wait(&self, mut meanwhile: impl FnMut()) {
        let before = self.arrived.fetch_add(1, Ordering::AcqRel);
        let all = (before / self.threads + 1) * self.threads;
        while self.arrived.load(Ordering::Acquire) < all {
            meanwhile();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_added_is_the_median_of_the_differences_of_undisturbed_pairs() {
        let alone = [[1.0, 3.0], [10.0, 13.0], [100.0, 104.0]].map(|pair| vec![pair.map(Some)]);
        let found = added(alone.into_iter()).unwrap();
        assert_eq!((found.base, found.added.median, found.pairs), (10.0, 3.0, 3));

        let disturbed = vec![[Some(1.0), Some(2.0)], [Some(1.0), None]];
        let together = vec![[Some(1.0), Some(5.0)], [Some(3.0), Some(9.0)]];
        assert!(added([disturbed.clone()].into_iter()).is_none());
        let found = added([disturbed, together].into_iter()).unwrap();
        assert_eq!((found.base, found.added.median, found.pairs), (2.0, 5.0, 1));
    }

    #[test]
    fn a_thread_that_sleeps_is_put_on_a_core_again() {
        let before = dispatches();
        thread::sleep(Duration::from_millis(1));
        assert!(before.is_none() || dispatches() > before);
    }

    #[test]
    fn nobody_leaves_a_line_before_all_have_come() {
        let line = Line::of(2);
        let passed = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for round in 0..100 {
                        line.wait(hint::spin_loop);
                        assert!(passed.fetch_add(1, Ordering::AcqRel) >= 2 * round - round.min(1));
                    }
                });
            }
        });
    }
}
