//! Times in buckets, added without an allocation.

use std::{ops::AddAssign, time::Duration};

/// Buckets to each power of two, so that a bucket is at most 3 % wide.
const STEPS: usize = 32;
const BUCKETS: usize = 60 * STEPS;

/// How many times there were of which length, to the nanosecond below 32 ns and to 3 % above.
pub(super) struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    longest: Duration,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self {
            counts: Box::new([0; BUCKETS]),
            longest: Duration::ZERO,
        }
    }

    /// The length that `share` of the times do not exceed.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let all = self.len();
        #[allow(clippy::cast_possible_truncation)] // between 0 and `all`
        let mut more = (all as f64 * (1.0 - share)) as u64;
        let beyond = |count: &u64| {
            let reached = *count > more;
            more = more.saturating_sub(*count);
            reached
        };
        match self.counts.iter().rposition(beyond) {
            Some(bucket) => Duration::from_nanos(end(bucket)).min(self.longest),
            None => Duration::ZERO,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl AddAssign<Duration> for Histogram {
    fn add_assign(&mut self, time: Duration) {
        #[allow(clippy::cast_possible_truncation)] // 64 bits of nanoseconds are centuries
        let nanos = time.as_nanos() as u64;
        self.counts[bucket(nanos)] += 1;
        self.longest = self.longest.max(time);
    }
}

fn bucket(nanos: u64) -> usize {
    let width = (nanos | STEPS as u64).ilog2() - STEPS.ilog2();
    #[allow(clippy::cast_possible_truncation)] // below twice STEPS
    let step = (nanos >> width) as usize;
    width as usize * STEPS + step
}

/// The longest time in a bucket.
fn end(bucket: usize) -> u64 {
    let width = (bucket / STEPS).saturating_sub(1);
    let step = (bucket - width * STEPS) as u64;
    (step << width) + ((1 << width) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_dense_and_narrow() {
        for nanos in (0..10_000).chain([u64::MAX / 3, u64::MAX - 1, u64::MAX]) {
            let end = end(bucket(nanos));
            assert!(
                nanos <= end && end - nanos <= nanos / STEPS as u64,
                "{nanos} in a bucket to {end}"
            );
        }
        for bucket in 1..BUCKETS {
            assert_eq!(super::bucket(end(bucket - 1) + 1), bucket);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_times() {
        let mut times = Histogram::new();
        for nanos in 1..=100_000 {
            times += Duration::from_nanos(nanos);
        }
        let near = |share, nanos: f64| {
            let found = times.quantile(share).as_nanos() as f64;
            assert!((0.0..=0.04).contains(&(found / nanos - 1.0)), "{found} for {nanos}");
        };
        near(0.5, 50_000.0);
        near(0.9999, 99_990.0);
        assert_eq!(times.quantile(1.0), Duration::from_nanos(100_000));
        assert_eq!(Histogram::new().quantile(0.5), Duration::ZERO);
    }
}
