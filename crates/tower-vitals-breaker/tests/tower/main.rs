//! Breakers around real Tower services, as Tower's contract wants it. The clock is tokio's, and paused.
#![allow(clippy::unwrap_used)] // there is nothing but tests

mod endings;
mod fallback;
mod keys;
mod readiness;
mod stacks;
mod unavailable;
mod waiting;

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tower::Service;
use tower_vitals_breaker::{BreakerError, CircuitBreaker, OpenFor, Outcome, RejectReason};
use tower_vitals_core::{Clock, ClosedLabel, Vitals};

const OPEN: Duration = Duration::from_secs(5);

fn breaker() -> CircuitBreaker {
    let vitals = Vitals::builder().clock(Clock::tokio()).build().unwrap();
    CircuitBreaker::builder("stock")
        .consecutive_failures(1)
        .open_for(OpenFor::constant(OPEN))
        .build(&vitals)
        .unwrap()
}

/// What comes of it, unless nobody wakes who waits.
async fn soon<F: Future>(future: F) -> F::Output {
    let waited = tokio::time::timeout(Duration::from_secs(3_600), future).await;
    waited.expect("it waits for ever")
}

/// How calls ended so far and why they were rejected, by the labels.
fn tally(breaker: &CircuitBreaker) -> Vec<(&'static str, u64)> {
    let status = breaker.status();
    let outcomes = Outcome::ALL.iter().map(|outcome| (outcome.as_str(), status.calls(*outcome)));
    let reasons = RejectReason::ALL
        .iter()
        .map(|reason| (reason.as_str(), status.rejected(*reason)));
    outcomes.chain(reasons).filter(|(_, count)| *count > 0).collect()
}

/// Counts what it is asked, and panics when called without having been readied.
#[derive(Default)]
struct Strict {
    asked: u32,
    is_ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<bool> for Strict {
    type Response = u32;
    type Error = &'static str;
    type Future = Ready<Result<u32, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.asked += 1;
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, fails: bool) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without having been readied");
        ready(if fails { Err("no route") } else { Ok(self.asked) })
    }
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn waker() -> (Arc<Woken>, Waker) {
    let woken = Arc::<Woken>::default();
    (Arc::clone(&woken), woken.into())
}

fn is_rejected<T, E>(result: &Result<T, BreakerError<E>>) -> bool {
    matches!(result, Err(BreakerError::Rejected(_)))
}

/// A service that is not ready until it is told to be.
#[derive(Clone, Default)]
struct Gate {
    is_open: Arc<AtomicBool>,
}

impl Service<bool> for Gate {
    type Response = u32;
    type Error = &'static str;
    type Future = Ready<Result<u32, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.is_open.load(Ordering::SeqCst) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn call(&mut self, _: bool) -> Self::Future {
        ready(Ok(1))
    }
}
