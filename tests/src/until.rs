//! Bounded polling: waits for what another task, or another process, does.

use std::fmt::Debug;
use std::future::ready;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Result;

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks at `probe` every few milliseconds until `accept` likes what it sees.
///
/// # Errors
///
/// After `deadline`, with the last value seen. The probe runs at least once.
pub async fn until<T: Debug>(deadline: Duration, mut probe: impl FnMut() -> T, accept: impl Fn(&T) -> bool) -> Result<T> {
    until_async(deadline, PAUSE, || ready(probe()), accept).await
}

/// Waits until `probe` gives exactly `expected`.
///
/// # Errors
///
/// After `deadline`, with the expected and the last value.
pub async fn until_eq<T: Debug + PartialEq>(deadline: Duration, expected: T, probe: impl FnMut() -> T) -> Result<()> {
    match until(deadline, probe, |seen| *seen == expected).await {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("expected {expected:?}: {error}").into()),
    }
}

/// As [`until`], for a probe that itself waits, every `pause`.
///
/// A probe that hangs is cut off shortly after the deadline.
///
/// # Errors
///
/// After `deadline`, with the last value seen.
pub async fn until_async<F>(
    deadline: Duration,
    pause: Duration,
    mut probe: impl FnMut() -> F,
    accept: impl Fn(&F::Output) -> bool,
) -> Result<F::Output>
where
    F: Future<Output: Debug>,
{
    let end = Instant::now() + deadline;
    let grace = Duration::from_secs(1);
    let mut last = None;
    loop {
        let Ok(seen) = tokio::time::timeout_at(end + grace, probe()).await else {
            return Err(format!("the probe hung past {deadline:?}; before: {last:?}").into());
        };
        if accept(&seen) {
            return Ok(seen);
        }
        if Instant::now() >= end {
            return Err(format!("not within {deadline:?}; last: {seen:?}").into());
        }
        last = Some(seen);
        sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn returns_the_value_that_was_accepted() {
        let mut n = 0;
        let probe = || {
            n += 1;
            n
        };
        let seen = until(Duration::from_secs(5), probe, |n| *n >= 3).await;
        assert_eq!(seen.unwrap(), 3);
    }

    #[tokio::test]
    async fn fails_with_the_last_value() {
        let error = until_eq(Duration::from_millis(20), 2, || 1).await.unwrap_err();
        assert_eq!(error.to_string(), "expected 2: not within 20ms; last: 1");
    }

    #[tokio::test]
    async fn cuts_off_a_probe_that_hangs() {
        let hung = std::future::pending::<u8>;
        let error = until_async(Duration::ZERO, PAUSE, hung, |_| true).await;
        assert!(error.unwrap_err().to_string().contains("hung"));
    }
}
