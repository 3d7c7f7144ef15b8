//! How bodies end.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use super::{Bench, Script, breaks, data, poll, read, respond, script};
use crate::{AtBodyEnd, ByError, GrpcClassifier, HttpClassifier, Outcome, State, Verdict};

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
fn what_ends_after_the_breaker_opened_is_stale() {
    let bench = Bench::new();
    let mut body = bench.http(respond(200, script([data()])));
    bench.breaker.force_open();
    read(&mut body);
    assert_eq!(bench.ended(&[]), [Outcome::Stale]);
}
