//! Calls that decide for a half-open breaker.

use std::io;

use http::Response;

use super::{Bench, breaks, data, poll, read, respond, script, trailers};
use crate::{Outcome, State};

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
