//! Bodies that do what a test tells them to, and tell what was done to them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::BoxError;

/// A body that plays its steps in order, then ends.
///
/// It has an unknown size and an honest `is_end_stream` unless told otherwise.
#[derive(Debug, Default)]
pub struct ScriptedBody {
    steps: VecDeque<Step>,
    sized: bool,
    hides_end: bool,
    probe: Probe,
}

#[derive(Debug)]
enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Error(String),
    Panic(String),
    Wait(Gate),
}

/// Watches a [`ScriptedBody`] that is in somebody else's hands.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    polls: AtomicUsize,
    polls_after_end: AtomicUsize,
    waiting: AtomicBool,
    dropped: AtomicBool,
}

/// Holds a body, or a handler, until the test opens it.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    state: Arc<Mutex<GateState>>,
}

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    wakers: Vec<Waker>,
}

// === impl ScriptedBody ===

impl ScriptedBody {
    /// A body without steps: empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Then gives a data frame.
    #[must_use]
    pub fn data(self, data: impl Into<Bytes>) -> Self {
        self.step(Step::Data(data.into()))
    }

    /// Then gives trailers.
    #[must_use]
    pub fn trailers(self, trailers: HeaderMap) -> Self {
        self.step(Step::Trailers(trailers))
    }

    /// Then fails.
    #[must_use]
    pub fn error(self, text: impl Into<String>) -> Self {
        self.step(Step::Error(text.into()))
    }

    /// Then panics.
    #[must_use]
    pub fn panic(self, text: impl Into<String>) -> Self {
        self.step(Step::Panic(text.into()))
    }

    /// Then is pending until the gate opens.
    #[must_use]
    pub fn wait(self, gate: &Gate) -> Self {
        self.step(Step::Wait(gate.clone()))
    }

    /// Tells the exact number of bytes still to come in its size hint.
    #[must_use]
    pub fn sized(mut self) -> Self {
        self.sized = true;
        self
    }

    /// Never claims to be at its end, as a stream that cannot know.
    #[must_use]
    pub fn hides_end(mut self) -> Self {
        self.hides_end = true;
        self
    }

    /// What tells what happened to this body.
    #[must_use]
    pub fn probe(&self) -> Probe {
        self.probe.clone()
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let probe = self.probe();
        probe.seen.polls.fetch_add(1, Ordering::SeqCst);
        while let Some(Step::Wait(gate)) = self.steps.front() {
            let held = gate.poll_open(cx).is_pending();
            probe.seen.waiting.store(held, Ordering::SeqCst);
            if held {
                return Poll::Pending;
            }
            self.steps.pop_front();
        }
        Poll::Ready(match self.steps.pop_front() {
            Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Error(text)) => Some(Err(text.into())),
            Some(Step::Panic(text)) => panic!("{text}"),
            Some(Step::Wait(_)) | None => {
                probe.seen.polls_after_end.fetch_add(1, Ordering::SeqCst);
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && !self.hides_end
    }

    fn size_hint(&self) -> SizeHint {
        if !self.sized {
            return SizeHint::default();
        }
        let length = |step: &Step| match step {
            Step::Data(data) => data.len() as u64,
            Step::Trailers(_) | Step::Error(_) | Step::Panic(_) | Step::Wait(_) => 0,
        };
        SizeHint::with_exact(self.steps.iter().map(length).sum())
    }
}

impl Drop for ScriptedBody {
    fn drop(&mut self) {
        self.probe.seen.dropped.store(true, Ordering::SeqCst);
    }
}

// === impl Probe ===

impl Probe {
    /// How often the body was polled.
    #[must_use]
    pub fn polls(&self) -> usize {
        self.seen.polls.load(Ordering::SeqCst)
    }

    /// How often it answered that it is at its end; a caller needs that once.
    #[must_use]
    pub fn ends(&self) -> usize {
        self.seen.polls_after_end.load(Ordering::SeqCst)
    }

    /// Whether the last poll found a closed gate.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.seen.waiting.load(Ordering::SeqCst)
    }

    /// Whether the body is gone.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        self.seen.dropped.load(Ordering::SeqCst)
    }
}

// === impl Gate ===

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.open = true;
        state.wakers.drain(..).for_each(Waker::wake);
    }

    /// Waits until the gate is open.
    pub async fn opened(&self) {
        std::future::poll_fn(|cx| self.poll_open(cx)).await;
    }

    fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.open {
            return Poll::Ready(());
        }
        state.wakers.push(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
