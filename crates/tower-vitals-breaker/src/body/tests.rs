use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tower_vitals_core::{Clock, ManualClock, Vitals};

use super::BreakerBody;
use crate::{
    AtBodyEnd, AtHead, ByError, CircuitBreaker, GrpcClassifier, GrpcCode, HttpClassifier, OpenFor, Outcome, Settle, State,
    Verdict,
};

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

#[test]
fn a_body_that_ends_well_is_a_success_at_its_end() {
    let bench = Bench::new();
    let mut body = bench.http(respond(200, script([data(), data()])));
    assert!(poll(&mut body).is_ready() && poll(&mut body).is_ready());
    assert_eq!(bench.ended(&[]), []);
    assert!(matches!(poll(&mut body), Poll::Ready(None)));
    assert_eq!(bench.ended(&[]), [Outcome::Success]);
    assert!(matches!(poll(&mut body), Poll::Ready(None)), "it may be asked again");
    drop(body);
    assert_eq!(bench.ended(&[]), [Outcome::Success]);
}

#[test]
fn a_body_that_breaks_is_a_failure() {
    for (kind, outcome) in [
        (io::ErrorKind::ConnectionReset, Outcome::Failure),
        (io::ErrorKind::TimedOut, Outcome::Timeout),
    ] {
        for settle in [Bench::http, Bench::grpc] {
            let bench = Bench::new();
            let mut body = settle(&bench, respond(200, script([data(), breaks(kind)])));
            assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(_)))));
            match poll(&mut body) {
                Poll::Ready(Some(Err(error))) => assert_eq!(error.kind(), kind, "it is the body's own"),
                _ => panic!("no error"),
            }
            assert_eq!(bench.ended(&[]), [outcome]);
            assert_eq!(bench.breaker.state(), State::Open);
        }
    }
}

#[test]
fn the_judge_of_errors_judges_those_of_bodies() {
    let bench = Bench::new();
    let classifier = HttpClassifier::new().errors(ByError);
    let response = respond(200, script([breaks(io::ErrorKind::TimedOut)]));
    read(bench.settle(&AtBodyEnd::new(classifier), response).body_mut());
    let grpc = GrpcClassifier::new().errors(|_: Result<&(), &io::Error>| Verdict::IGNORED);
    bench.breaker.reset();
    let response = respond(200, script([breaks(io::ErrorKind::TimedOut)]));
    read(bench.settle(&AtBodyEnd::new(grpc), response).body_mut());
    assert_eq!(bench.ended(&[]), [Outcome::Timeout, Outcome::Ignored]);
}

#[test]
fn a_head_that_says_all_is_recorded_at_once() {
    for (status, outcome) in [
        (500, Outcome::Failure),
        (504, Outcome::Timeout),
        (429, Outcome::Failure),
        (101, Outcome::Success),
    ] {
        let bench = Bench::new();
        let mut body = bench.http(respond(status, script([data(), breaks(io::ErrorKind::BrokenPipe)])));
        assert_eq!(bench.ended(&[]), [outcome], "{status}");
        read(&mut body);
        assert_eq!(bench.ended(&[]), [outcome], "{status}: once");
    }
}

#[test]
fn an_error_without_a_response_is_recorded_at_once() {
    let bench = Bench::new();
    let failed = |kind: io::ErrorKind| Err::<Response<Script>, _>(io::Error::from(kind));
    let http = AtBodyEnd::new(HttpClassifier::new());
    let error = http.settle(failed(io::ErrorKind::TimedOut), bench.breaker.try_acquire().unwrap());
    assert_eq!(error.map(|_| ()).unwrap_err().kind(), io::ErrorKind::TimedOut);
    bench.breaker.reset();
    let grpc = AtBodyEnd::new(GrpcClassifier::new());
    assert!(
        grpc.settle(failed(io::ErrorKind::Other), bench.breaker.try_acquire().unwrap())
            .is_err()
    );
    bench.breaker.reset();
    let head = AtHead::new(HttpClassifier::new());
    assert!(
        head.settle(failed(io::ErrorKind::Other), bench.breaker.try_acquire().unwrap())
            .is_err()
    );
    assert_eq!(bench.ended(&[]), [Outcome::Failure, Outcome::Failure, Outcome::Timeout]);
}

#[test]
fn an_empty_body_ends_with_its_head() {
    let bench = Bench::new();
    let _body = bench.http(respond(204, Empty::<Bytes>::new()));
    let _body = bench.http(respond(200, Full::new(Bytes::new())));
    assert_eq!(bench.ended(&[]), [Outcome::Success, Outcome::Success]);
}

#[test]
fn a_body_of_known_length_ends_with_its_last_byte() {
    /// Its end is known from its size only, as where a decorator forgets `is_end_stream`.
    struct Sized(Full<Bytes>);

    impl Body for Sized {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Pin::new(&mut self.0).poll_frame(cx)
        }

        fn size_hint(&self) -> SizeHint {
            self.0.size_hint()
        }
    }

    let bench = Bench::new();
    let mut full = bench.http(respond(200, Full::new(Bytes::from_static(b"data"))));
    let mut sized = bench.http(respond(200, Sized(Full::new(Bytes::from_static(b"data")))));
    assert_eq!(bench.ended(&[]), []);
    assert!(poll(&mut full).is_ready());
    assert_eq!(bench.ended(&[]), [Outcome::Success]);
    assert!(poll(&mut sized).is_ready());
    assert_eq!(bench.ended(&[]), [Outcome::Success, Outcome::Success]);
}

#[test]
fn a_body_that_the_caller_drops_is_neutral() {
    for settle in [Bench::http, Bench::grpc] {
        let bench = Bench::new();
        drop(settle(&bench, respond(200, script([data()]))));
        let mut body = settle(&bench, respond(200, script([data(), data()])));
        assert!(poll(&mut body).is_ready());
        drop(body);
        assert_eq!(bench.ended(&[]), [Outcome::Cancelled, Outcome::Cancelled]);
        assert_eq!(bench.breaker.state(), State::Closed);
    }
}

#[test]
fn a_caller_that_panics_is_not_the_upstreams_failure() {
    let bench = Bench::new();
    let body = bench.http(respond(200, script([data()])));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _body = body;
        panic!("the caller's own");
    }));
    assert!(caught.is_err());
    assert_eq!(bench.ended(&[]), [Outcome::Cancelled]);
}

#[test]
fn a_body_that_panics_is_a_failure_even_when_it_is_kept() {
    for settle in [Bench::http, Bench::grpc] {
        let bench = Bench::new();
        let script = Script {
            frames: vec![data()],
            panics: true,
        };
        let mut body = settle(&bench, respond(200, script));
        assert!(poll(&mut body).is_ready());
        assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut body).is_ready())).is_err());
        assert_eq!(bench.ended(&[]), [Outcome::Panicked]);
        drop(body);
        assert_eq!(bench.ended(&[]), [Outcome::Panicked]);
        assert_eq!(bench.breaker.state(), State::Open);
    }
}

#[test]
fn grpc_is_judged_by_its_trailers() {
    for (code, outcome) in [
        ("0", Outcome::Success),
        ("5", Outcome::Success),
        ("14", Outcome::Failure),
        ("4", Outcome::Timeout),
        ("8", Outcome::Failure),
        ("1", Outcome::Ignored),
        ("what?", Outcome::Failure),
    ] {
        let bench = Bench::new();
        let mut body = bench.grpc(respond(200, script([data(), trailers(&[("grpc-status", code)])])));
        assert!(poll(&mut body).is_ready());
        assert_eq!(bench.ended(&[]), []);
        assert!(poll(&mut body).is_ready());
        assert_eq!(bench.ended(&[]), [outcome], "{code}");
    }
}

#[test]
fn grpc_without_a_status_is_unknown() {
    let bench = Bench::new();
    read(&mut bench.grpc(respond(200, script([data()]))));
    bench.breaker.reset();
    read(&mut bench.grpc(respond(200, script([data(), trailers(&[("other", "0")])]))));
    bench.breaker.reset();
    let _body = bench.grpc(respond(200, Empty::<Bytes>::new()));
    assert_eq!(bench.ended(&[]), [Outcome::Failure; 3]);

    bench.breaker.reset();
    let lenient = GrpcClassifier::new().codes(|code| (code == GrpcCode::Unknown).then_some(Verdict::IGNORED));
    let _body = bench.settle(&AtBodyEnd::new(lenient), respond(200, Empty::<Bytes>::new()));
    assert_eq!(bench.count(Outcome::Ignored), 1);
}

#[test]
fn the_status_may_be_in_grpcs_head() {
    let head = |code: &str, body| {
        let response = Response::builder().header("grpc-status", code);
        response.body(body).unwrap()
    };
    let bench = Bench::new();
    let _body = bench.grpc(
        head(
            "0",
            Script {
                frames: vec![],
                panics: false,
            },
        )
        .map(|_| Empty::<Bytes>::new()),
    );
    assert_eq!(bench.ended(&[]), [Outcome::Success]);
    let mut body = bench.grpc(head("0", script([data(), trailers(&[("grpc-status", "14")])])));
    read(&mut body);
    assert_eq!(bench.ended(&[]), [Outcome::Success, Outcome::Failure], "trailers know better");
    bench.breaker.reset();
    read(&mut bench.grpc(head("0", script([data()]))));
    assert_eq!(bench.count(Outcome::Success), 2);
    let _body = bench.grpc(head("14", script([data()])));
    assert_eq!(bench.count(Outcome::Failure), 2, "at the head");
}

#[test]
fn what_is_no_grpc_is_recorded_at_its_head() {
    let bench = Bench::new();
    let mut body = bench.grpc(respond(404, script([data()])));
    assert_eq!(bench.ended(&[]), [Outcome::Success]);
    read(&mut body);
    let _body = bench.grpc(respond(502, script([data()])));
    assert_eq!(bench.ended(&[]), [Outcome::Success, Outcome::Failure]);
}

#[test]
fn a_pushback_in_trailers_keeps_it_open() {
    let bench = Bench::new();
    let fields = [("grpc-status", "14"), ("grpc-retry-pushback-ms", "60000")];
    read(&mut bench.grpc(respond(200, script([trailers(&fields)]))));
    let rejected = bench.breaker.try_acquire().unwrap_err();
    assert_eq!(rejected.retry_after(), Some(Duration::from_secs(60)));
}

#[test]
fn time_after_the_head_makes_no_call_slow() {
    let bench = Bench::new();
    let mut body = bench.http(respond(200, script([data()])));
    bench.time.advance(Duration::from_secs(3600));
    read(&mut body);
    assert_eq!(bench.ended(&[]), [Outcome::Success]);

    let permit = bench.breaker.try_acquire().unwrap();
    bench.time.advance(Duration::from_secs(1));
    let settle = AtBodyEnd::new(HttpClassifier::new());
    let response = settle.settle(Ok::<_, io::Error>(respond(200, script([data()]))), permit);
    read(response.unwrap().body_mut());
    assert_eq!(
        bench.ended(&[]),
        [Outcome::Success, Outcome::SlowSuccess],
        "the head was slow"
    );
}

const OPENED: [Outcome; 1] = [Outcome::Failure];

#[test]
fn the_first_data_decides_for_a_probe() {
    for settle in [Bench::http, Bench::grpc] {
        let bench = Bench::half_open();
        let mut body = settle(&bench, respond(200, script([data(), breaks(io::ErrorKind::BrokenPipe)])));
        assert_eq!(bench.breaker.state(), State::HalfOpen);
        assert!(poll(&mut body).is_ready());
        assert_eq!(
            (bench.breaker.state(), bench.ended(&OPENED)),
            (State::Closed, vec![Outcome::Success])
        );
        assert!(poll(&mut body).is_ready());
        assert_eq!(bench.ended(&OPENED), [Outcome::Success], "a call counts once");
    }
}

#[test]
fn a_probe_fails_with_its_body() {
    let first = [
        (Bench::http as fn(&Bench, _) -> _, breaks(io::ErrorKind::BrokenPipe)),
        (Bench::grpc, breaks(io::ErrorKind::BrokenPipe)),
        (Bench::grpc, trailers(&[("grpc-status", "14")])),
    ];
    for (settle, first) in first {
        let bench = Bench::half_open();
        read(&mut settle(&bench, respond(200, script([first]))));
        assert_eq!(
            (bench.breaker.state(), bench.ended(&OPENED)),
            (State::Open, vec![Outcome::Failure])
        );
    }
}

#[test]
fn a_probe_whose_body_is_dropped_gives_its_place_back() {
    let bench = Bench::half_open();
    let body = bench.http(respond(200, script([data()])));
    assert!(bench.breaker.try_acquire().is_err());
    drop(body);
    assert_eq!(bench.ended(&OPENED), [Outcome::Cancelled]);
    assert!(bench.breaker.try_acquire().is_ok());
}

#[test]
fn a_probe_does_not_wait_for_events() {
    for content_type in [
        "text/event-stream",
        "Text/Event-Stream; charset=utf-8",
        "multipart/x-mixed-replace;boundary=b",
    ] {
        let respond = || {
            let response = Response::builder().header("content-type", content_type);
            response.body(script([data()])).unwrap()
        };
        let bench = Bench::half_open();
        let _body = bench.http(respond());
        assert_eq!(bench.breaker.state(), State::Closed, "{content_type}");
        let mut body = bench.http(respond());
        assert_eq!(bench.ended(&OPENED), [Outcome::Success], "no probe: it counts at its end");
        read(&mut body);
        assert_eq!(bench.ended(&OPENED), [Outcome::Success, Outcome::Success]);
    }
}

#[test]
fn what_ends_after_the_breaker_opened_is_stale() {
    let bench = Bench::new();
    let mut body = bench.http(respond(200, script([data()])));
    bench.breaker.force_open();
    read(&mut body);
    assert_eq!(bench.ended(&[]), [Outcome::Stale]);
}

#[tokio::test]
async fn frames_trailers_and_size_are_unchanged() {
    let bench = Bench::new();
    let frames = [data(), data(), trailers(&[("checksum", "7")])];
    let body = bench.http(respond(200, StreamBody::new(futures_util::stream::iter(frames))));
    assert_eq!((body.is_end_stream(), body.size_hint().exact()), (false, None));
    let collected = body.collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["checksum"], "7");
    assert_eq!(collected.to_bytes(), "datadata");
    assert_eq!(bench.ended(&[]), [Outcome::Success]);

    let body = bench.http(respond(200, Full::new(Bytes::from_static(b"data"))));
    assert_eq!((body.is_end_stream(), body.size_hint().exact()), (false, Some(4)));
    assert_eq!(body.get_ref().size_hint().exact(), Some(4));
    assert_eq!(body.collect().await.unwrap().to_bytes(), "data");
    let body = bench.http(respond(200, Empty::<Bytes>::new()));
    assert!(body.is_end_stream());
}

#[test]
fn a_body_goes_where_bodies_go() {
    fn is_send_and_sync<T: Send + Sync + 'static>() {}

    is_send_and_sync::<BreakerBody<Full<Bytes>>>();
    is_send_and_sync::<AtBodyEnd<HttpClassifier>>();
    is_send_and_sync::<AtBodyEnd<GrpcClassifier>>();
    let body = BreakerBody::<Full<Bytes>>::default();
    assert!(format!("{body:?}").contains("is_watched: false"));
}
