use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Sleep, sleep};
use tower_vitals_core::spread::{Copies, Lent};

use crate::{shared::Shared, sync::Arc};

/// A service that waits for its breaker to change. Dropped, it waits no more.
pub(super) struct Wait {
    shared: Lent<Arc<Shared>>,
    place: u64,
    timer: Option<Timer>,
}

struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// The time of the breaker's clock for which it is set.
    until: Option<u64>,
}

impl Wait {
    /// The one that there is, or a new one.
    #[cold]
    #[inline(never)]
    pub(super) fn of<'a>(wait: &'a mut Option<Self>, shared: &Copies<Arc<Shared>>) -> &'a mut Self {
        wait.get_or_insert_with(|| Self {
            place: shared.waiters().place(),
            shared: shared.lend(),
            timer: None,
        })
    }

    /// Has the task woken by the next change. Who calls this looks again thereafter: what changes after the look finds the place.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        self.shared.waiters().wait(self.place, cx.waker());
    }

    /// Waits as long as a call would be rejected.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.watch(cx);
        while self.shared.would_reject() {
            let Some(until) = self.shared.worth_trying_at() else {
                self.timer = None;
                return Poll::Pending;
            };
            if self.poll_timer(until, cx).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    fn poll_timer(&mut self, until: u64, cx: &mut Context<'_>) -> Poll<()> {
        let left = || Duration::from_nanos(until.saturating_sub(self.shared.clock().nanos()));
        let timer = self.timer.get_or_insert_with(|| Timer {
            sleep: Box::pin(sleep(left())),
            until: Some(until),
        });
        if timer.until != Some(until) {
            timer.sleep.set(sleep(left()));
            timer.until = Some(until);
        }
        ready!(timer.sleep.as_mut().poll(cx));
        // Tokio's time is up, that of the breaker's clock perhaps not: the next look sets the timer anew.
        timer.until = None;
        Poll::Ready(())
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.shared.waiters().leave(self.place);
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("place", &self.place).finish_non_exhaustive()
    }
}
