//! What is known when the head is there.

use std::{io, time::Duration};

use bytes::Bytes;
use http::Response;
use http_body_util::{Empty, Full};

use super::{Bench, Script, breaks, data, read, respond, script};
use crate::{AtBodyEnd, AtHead, GrpcClassifier, HttpClassifier, Outcome, Settle};

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
