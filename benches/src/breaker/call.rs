//! One call through a breaker, and many.

use std::{
    future::poll_fn,
    hint::{black_box, spin_loop},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tower::Service;

use crate::pairs::Work;

/// What the far end answers: what is called carries it, so that a breaker opens when it is told to.
pub(super) type Answer = Result<(), Failed>;

/// The error of the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    Failure,
    Rejected,
}

/// A breaker, and a way to call through it. Clones share the breaker.
pub(super) trait Breaker: Clone + Send + 'static {
    fn call(&mut self, answer: Answer) -> Outcome;
}

impl<F: FnMut(Answer) -> Outcome + Clone + Send + 'static> Breaker for F {
    #[inline]
    fn call(&mut self, answer: Answer) -> Outcome {
        self(answer)
    }
}

/// What a breaker does while it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It lets calls through, and all of them succeed.
    Closed,
    /// It rejects them.
    Open,
}

impl State {
    pub(super) const ALL: [Self; 2] = [Self::Closed, Self::Open];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Closed => Outcome::Success,
            Self::Open => Outcome::Rejected,
        }
    }
}

impl Outcome {
    /// That of an inner call which nothing rejects.
    pub(super) fn of(answer: &Answer) -> Self {
        match answer {
            Ok(()) => Self::Success,
            Err(Failed) => Self::Failure,
        }
    }
}

/// The most failures that open a breaker here.
const FAILURES: u32 = 1_000;

/// What calls on each of some threads: a clone of the breaker, once it is in that state.
pub(super) fn through<B: Breaker>(mut breaker: B, state: State, threads: usize) -> Vec<Work> {
    if state == State::Open {
        trip(&mut breaker);
    }
    let work = |_| -> Work {
        let mut breaker = breaker.clone();
        Box::new(move |count| repeat(&mut breaker, state, count))
    };
    (0..threads).map(work).collect()
}

/// Lets calls fail until one is rejected, and says how many failed.
pub(super) fn trip<B: Breaker>(breaker: &mut B) -> u32 {
    for failures in 0..FAILURES {
        if breaker.call(Err(Failed)) == Outcome::Rejected {
            return failures;
        }
    }
    panic!("{FAILURES} failures do not open it");
}

/// Calls `count` times. It is the one function that callgrind collects in, so it stays a function and has no closure.
#[inline(never)]
fn repeat<B: Breaker>(breaker: &mut B, state: State, count: u32) {
    let expected = state.outcome();
    for _ in 0..count {
        let outcome = black_box(&mut *breaker).call(black_box(Ok(())));
        assert!(outcome == expected, "a call that came to something else");
    }
}

/// The function that calls.
pub(super) const FUNCTION: &str = "benches::breaker::call::repeat";

/// A service with a breaker, as whoever holds it calls it.
#[derive(Clone, Debug)]
pub(super) struct Through<S, F> {
    service: S,
    outcome: F,
}

/// Calls a service; `outcome` tells what its answers mean.
pub(super) fn service<S, F>(service: S, outcome: F) -> Through<S, F>
where
    S: Service<Answer>,
    F: Fn(&Result<S::Response, S::Error>) -> Outcome,
{
    Through { service, outcome }
}

impl<S, F> Breaker for Through<S, F>
where
    S: Service<Answer> + Clone + Send + 'static,
    F: Fn(&Result<S::Response, S::Error>) -> Outcome + Clone + Send + 'static,
{
    fn call(&mut self, answer: Answer) -> Outcome {
        let result = match finish(poll_fn(|context| self.service.poll_ready(context))) {
            Ok(()) => finish(self.service.call(answer)),
            Err(error) => Err(error),
        };
        (self.outcome)(&result)
    }
}

/// Polls a future to its end, which is the first poll unless it waits for another thread.
pub(super) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => wait(future),
    }
}

/// Polls a future whenever it is woken. The thread stays awake, as one of a runtime would with other work to do.
#[cold]
fn wait<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        while !woken.0.swap(false, Ordering::Acquire) {
            spin_loop();
        }
    }
}

/// Whether a future shall be polled again.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Sees that a breaker lets calls through, opens after that many failures, and then rejects what would have succeeded, on clones too.
#[cfg(test)]
pub(super) fn assert_opens_after<B: Breaker>(failures: u32, mut breaker: B) {
    let mut clone = breaker.clone();
    assert_eq!(breaker.call(Ok(())), Outcome::Success);
    assert_eq!(breaker.call(Err(Failed)), Outcome::Failure);
    assert_eq!(1 + trip(&mut clone), failures);
    assert_eq!([breaker.call(Ok(())), clone.call(Ok(()))], [Outcome::Rejected; 2]);
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering::Relaxed},
        thread,
    };

    use super::*;

    /// Rejects once it has seen that many failures.
    fn after(failures: u32) -> impl Breaker {
        let left = Arc::new(AtomicU32::new(failures));
        move |answer| match (left.load(Relaxed), answer) {
            (0, _) => Outcome::Rejected,
            (before, Err(Failed)) => {
                left.store(before - 1, Relaxed);
                Outcome::Failure
            }
            (_, Ok(())) => Outcome::Success,
        }
    }

    #[test]
    fn a_breaker_is_opened_before_it_is_measured_as_open() {
        assert_opens_after(7, after(7));
        for state in State::ALL {
            let mut works = through(after(7), state, 2);
            assert_eq!(works.len(), 2);
            works.iter_mut().for_each(|work| work(3));
        }
    }

    #[test]
    #[should_panic(expected = "came to something else")]
    fn a_call_that_comes_to_something_else_ends_the_run() {
        repeat(&mut after(1), State::Open, 1);
    }

    #[test]
    fn a_future_that_waits_is_polled_when_it_is_woken() {
        let mut polls = 0;
        let waits = poll_fn(|context| {
            polls += 1;
            let waker = context.waker().clone();
            match polls {
                1 => return Poll::Pending,
                2 => drop(thread::spawn(move || waker.wake())),
                3 => waker.wake(),
                _ => return Poll::Ready(()),
            }
            Poll::Pending
        });
        finish(waits);
        assert_eq!(polls, 4);
    }
}
