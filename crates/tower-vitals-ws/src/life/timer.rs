use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// Wakes a task at a time. One task at a time waits for it.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    /// None until there is something to wait for.
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it wakes, in nanoseconds of the clock.
    at: u64,
}

/// It wakes at least this often, so that no time is too far away.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl Timer {
    /// Has the task woken at a time or before, unless that is past: then this is ready.
    pub(crate) fn poll_until(&mut self, at: u64, now: u64, cx: &mut Context<'_>) -> Poll<()> {
        let Some(after) = at.checked_sub(now).filter(|after| *after > 0) else {
            return Poll::Ready(());
        };
        let after = Duration::from_nanos(after).min(LONGEST);
        match &mut self.sleep {
            None => {
                self.sleep = Some(Box::pin(sleep(after)));
                self.at = at;
            }
            // It mostly gets later. That it wakes too early then costs less than to move it each time.
            Some(sleep) if at < self.at || sleep.is_elapsed() => {
                sleep.as_mut().reset(Instant::now() + after);
                self.at = at;
            }
            Some(_) => {}
        }
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}
