use std::time::Duration;

/// Which calls are recent enough to be judged.
///
/// Both kinds slide: each result pushes out what is too old, and nothing else. A window is empty when its breaker closes.
///
/// # Cost
/// A time window takes 400 bytes for each shard of threads that call (at most eight), and its threads do not write to the same memory.
/// A window of calls takes eight bytes for each call, and all threads write to one word of it, so prefer a time window where many
/// threads call much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Window {
    pub(crate) kind: WindowKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WindowKind {
    /// So many nanoseconds in so many buckets.
    Time { bucket: u64, buckets: u64 },
    /// The last results.
    Count { size: u64 },
}

/// Into how many buckets a time window is cut, which is how exactly it slides.
const BUCKETS: u64 = 10;

/// The shortest time a bucket may be: what shorter ones count is chance.
const SHORTEST_BUCKET: u64 = 1_000_000;

/// The largest window of calls: eight megabytes.
const MOST_CALLS: u64 = 1 << 20;

impl Window {
    /// The calls that ended within this time. It slides by a tenth of itself, so it looks back over nine to ten tenths. At least 10 ms.
    pub fn time(length: Duration) -> Self {
        let length = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self {
            kind: WindowKind::Time {
                bucket: length / BUCKETS,
                buckets: BUCKETS,
            },
        }
    }

    /// The last calls that ended, so many of them. From 1 to 1,048,576.
    pub fn count(calls: usize) -> Self {
        Self {
            kind: WindowKind::Count { size: calls as u64 },
        }
    }

    /// How many calls a rate should rest on when `usual` are usual.
    pub(crate) fn minimum(self, usual: u32) -> u32 {
        match self.kind {
            WindowKind::Time { .. } => usual,
            WindowKind::Count { size } => u32::try_from(size).map_or(usual, |size| size.min(usual)),
        }
    }

    /// The rule that the window breaks, if any, with this minimum of calls.
    pub(crate) fn broken_rule(self, minimum: u32) -> Option<String> {
        match self.kind {
            WindowKind::Time { bucket, .. } if bucket < SHORTEST_BUCKET => {
                let length = Duration::from_nanos(bucket * BUCKETS);
                Some(format!("the window of {length:?} is shorter than 10ms"))
            }
            WindowKind::Time { bucket, .. } if bucket > super::LONGEST / BUCKETS => {
                Some("the window is longer than 30 days".to_owned())
            }
            WindowKind::Count { size } if size == 0 || size > MOST_CALLS => {
                Some(format!("the window of {size} calls is not from 1 to {MOST_CALLS}"))
            }
            WindowKind::Count { size } if u64::from(minimum) > size => Some(format!(
                "the minimum of {minimum} calls is above the window of {size} calls, so no rate would ever be judged"
            )),
            WindowKind::Time { .. } | WindowKind::Count { .. } => None,
        }
    }
}
