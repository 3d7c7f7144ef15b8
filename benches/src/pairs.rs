//! How much longer something takes than its base: batches of either by turns, on one thread or on several at once.

use std::{
    fs, hint,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use crate::{Result, instant, quartiles::Quartiles};

/// Pairs of batches of each entry.
pub(crate) const PAIRS: usize = 401;

/// How many of a batch come before it and are not timed, as one in that many: the caches hold what ran before.
const WARM_UP: u32 = 5;

/// Does something that many times.
pub(crate) type Work = Box<dyn FnMut(u32) + Send>;

/// Something to time.
pub(crate) trait Entry {
    /// What does it on each of some threads, with all that they share.
    fn work_on(&self, threads: usize) -> Vec<Work>;
}

/// What an entry adds to the base, in nanoseconds for each time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Added {
    /// What the base takes (the median).
    pub(crate) base: f64,
    /// The differences of the pairs.
    pub(crate) added: Quartiles,
    /// The pairs during which no thread was taken off its core.
    pub(crate) pairs: usize,
}

impl Added {
    /// How many times as much this adds as another.
    pub(crate) fn of(self, whole: Self) -> f64 {
        self.added.median / whole.added.median
    }
}

/// Measures a group on that many threads, each of which does it `batch` times in a batch: so few that most run undisturbed. The first
/// of the group is what the others add to; against itself, it shows the noise. There is no figure where no batch ran undisturbed.
pub(crate) fn measure<E: Entry>(group: &[E], threads: usize, batch: u32) -> Result<Vec<Option<Added>>> {
    if thread::available_parallelism()?.get() < threads {
        return Err(format!("{threads} threads do not run at once on this machine").into());
    }
    let lines = [Line::of(threads), Line::of(threads)];
    let runs: Vec<Vec<Pair>> = thread::scope(|scope| {
        let threads: Vec<_> = scripts(group, threads)
            .into_iter()
            .map(|script| scope.spawn(|| run(script, &lines, batch)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread that is timed does not panic"))
            .collect()
    });
    let measured = (0..group.len())
        .map(|index| added((0..PAIRS).map(|round| runs.iter().map(|run| run[round * group.len() + index]).collect())));
    Ok(measured.collect())
}

/// What one thread has of each entry: that which does the base, and that which does the entry.
type Script = Vec<[Work; 2]>;

/// The nanoseconds of each time in a batch of the base and in one of an entry, unless the system took the thread off its core.
type Pair = [Option<f64>; 2];

/// Where threads wait for each other. They stay awake, because to be woken takes a good part of a batch.
struct Line {
    threads: usize,
    arrived: AtomicUsize,
}

/// The scripts of the threads.
fn scripts<E: Entry>(group: &[E], threads: usize) -> Vec<Script> {
    let mut scripts: Vec<Script> = (0..threads).map(|_| Script::new()).collect();
    for entry in group {
        let works = group[0].work_on(threads).into_iter().zip(entry.work_on(threads));
        for (script, (base, entry)) in scripts.iter_mut().zip(works) {
            script.push([base, entry]);
        }
    }
    scripts
}

/// One thread's rounds, each with a pair of every entry. The base goes first in every other round.
fn run(mut script: Script, lines: &[Line; 2], batch: u32) -> Vec<Pair> {
    let mut pairs = Vec::with_capacity(PAIRS * script.len());
    for round in 0..PAIRS {
        for [base, entry] in &mut script {
            pairs.push(if round % 2 == 0 {
                [time(base, lines, batch), time(entry, lines, batch)]
            } else {
                let entry = time(entry, lines, batch);
                [time(base, lines, batch), entry]
            });
        }
    }
    pairs
}

/// A batch on one thread. All threads work for as long as any of them is timed, so one that is slower than the others has their
/// company all the same.
fn time(work: &mut Work, [start, finish]: &[Line; 2], batch: u32) -> Option<f64> {
    start.wait(hint::spin_loop);
    let before = preemptions();
    work(batch / WARM_UP);
    let start = instant::now();
    work(batch);
    let duration = instant::now().saturating_duration_since(start);
    finish.wait(|| work(1));
    (preemptions() == before).then(|| duration.as_secs_f64() * 1e9 / f64::from(batch))
}

/// How often the system has taken this thread off its core, where it says so. A thread that sleeps, for a lock say, has left its core
/// itself: that is part of what it does.
fn preemptions() -> Option<u64> {
    involuntary(&fs::read_to_string("/proc/thread-self/status").ok()?)
}

fn involuntary(status: &str) -> Option<u64> {
    let switches = status
        .lines()
        .find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?;
    switches.trim().parse().ok()
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
    fn only_switches_against_its_will_disturb_a_thread() {
        let status = "Name:\tbenches\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(involuntary(status), Some(3));
        assert_eq!(involuntary("voluntary_ctxt_switches:\t7\n"), None);
        assert!(preemptions().is_some());
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
