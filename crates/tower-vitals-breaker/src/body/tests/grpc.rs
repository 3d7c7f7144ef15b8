//! What trailers say.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Empty;

use super::{Bench, data, poll, read, respond, script, trailers};
use crate::{AtBodyEnd, GrpcClassifier, GrpcCode, Outcome, Verdict};

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
    fn head<B>(code: &str, body: B) -> Response<B> {
        let response = Response::builder().header("grpc-status", code);
        response.body(body).unwrap()
    }
    let bench = Bench::new();
    let _body = bench.grpc(head("0", Empty::<Bytes>::new()));
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
