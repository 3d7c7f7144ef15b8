mod ends;
mod frames;
mod grpc;
mod heads;
mod probes;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame};
use tower_vitals_core::{Clock, ManualClock, Vitals};

use super::BreakerBody;
use crate::{AtBodyEnd, CircuitBreaker, GrpcClassifier, HttpClassifier, OpenFor, Outcome, Settle, Verdict};

type Scripted = Result<Frame<Bytes>, io::Error>;

/// A body that gives one frame after the other, then panics or ends.
struct Script {
    frames: Vec<Scripted>,
    panics: bool,
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Scripted>> {
        if self.frames.is_empty() {
            assert!(!self.panics, "as told");
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.frames.remove(0)))
    }
}

fn script(frames: impl IntoIterator<Item = Scripted>) -> Script {
    let frames = frames.into_iter().collect();
    Script { frames, panics: false }
}

fn data() -> Scripted {
    Ok(Frame::data(Bytes::from_static(b"data")))
}

fn trailers(fields: &[(&'static str, &str)]) -> Scripted {
    let fields = fields.iter();
    let trailers = fields.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    Ok(Frame::trailers(trailers.collect::<HeaderMap>()))
}

fn breaks(kind: io::ErrorKind) -> Scripted {
    Err(kind.into())
}

/// A breaker that opens at the first failure, and its time.
struct Bench {
    breaker: CircuitBreaker,
    time: ManualClock,
}

impl Bench {
    fn new() -> Self {
        let time = ManualClock::new();
        let vitals = Vitals::builder().clock(Clock::manual(&time)).build().unwrap();
        let breaker = CircuitBreaker::builder("upstream")
            .consecutive_failures(1)
            .slow_calls(Duration::from_secs(1), 1.0)
            .open_for(OpenFor::constant(Duration::from_secs(5)))
            .build(&vitals)
            .unwrap();
        Self { breaker, time }
    }

    /// One whose next call is a probe.
    fn half_open() -> Self {
        let bench = Self::new();
        bench.breaker.try_acquire().unwrap().record(Verdict::FAILURE);
        bench.time.advance(Duration::from_secs(5));
        bench
    }

    fn settle<S, T>(&self, settle: &S, response: T) -> S::Response
    where
        S: Settle<T, io::Error>,
    {
        settle.settle(Ok(response), self.breaker.try_acquire().unwrap()).unwrap()
    }

    fn http<B: Body<Error: 'static>>(&self, response: Response<B>) -> BreakerBody<B> {
        self.settle(&AtBodyEnd::new(HttpClassifier::new()), response).into_body()
    }

    fn grpc<B: Body<Error: 'static>>(&self, response: Response<B>) -> BreakerBody<B> {
        self.settle(&AtBodyEnd::new(GrpcClassifier::new()), response).into_body()
    }

    fn count(&self, outcome: Outcome) -> u64 {
        self.breaker.shared().snapshot().totals.calls(outcome)
    }

    /// How calls ended so far, but for the failure that opened a breaker.
    fn ended(&self, before: &[Outcome]) -> Vec<Outcome> {
        use Outcome as O;
        let all = [
            O::Success,
            O::Failure,
            O::Timeout,
            O::SlowSuccess,
            O::SlowFailure,
            O::Ignored,
            O::Cancelled,
            O::Panicked,
            O::Stale,
        ];
        let known = |outcome| before.iter().filter(|before| **before == outcome).count();
        all.into_iter()
            .flat_map(|outcome| {
                let count = usize::try_from(self.count(outcome)).unwrap();
                std::iter::repeat_n(outcome, count - known(outcome))
            })
            .collect()
    }
}

/// Asks for one frame.
#[allow(clippy::type_complexity)] // what a body gives
fn poll<B: Body + Unpin>(body: &mut B) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

/// Reads to what must be the end.
fn read<B: Body + Unpin>(body: &mut B) {
    loop {
        match poll(body) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(_)) | None) => return,
            Poll::Pending => panic!("no body of these tests waits"),
        }
    }
}

fn respond<B>(status: u16, body: B) -> Response<B> {
    Response::builder().status(status).body(body).unwrap()
}
