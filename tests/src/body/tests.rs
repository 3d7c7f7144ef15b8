use std::time::Duration;

use http_body_util::BodyExt;

use super::*;
use crate::until::until_eq;

#[tokio::test]
async fn plays_its_steps_and_counts() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", http::HeaderValue::from_static("7"));
    let mut body = ScriptedBody::new().data("abc").data("de").sized();
    body = body.trailers(trailers);
    let probe = body.probe();
    assert_eq!(body.size_hint().exact(), Some(5));
    body.frame().await.unwrap().unwrap();
    assert_eq!(body.size_hint().exact(), Some(2));
    assert!(!body.is_end_stream());

    let rest = body.collect().await.unwrap();
    assert_eq!(rest.trailers().unwrap()["x-sum"], "7");
    assert_eq!(rest.to_bytes(), "de");
    assert_eq!((probe.polls(), probe.ends()), (4, 1));
    assert!(probe.is_dropped());
}

#[tokio::test]
async fn fails_where_told() {
    let body = ScriptedBody::new().data("abc").error("torn");
    let error = body.collect().await.unwrap_err();
    assert_eq!(error.to_string(), "torn");
}

#[tokio::test]
async fn waits_for_its_gate() {
    let gate = Gate::new();
    let body = ScriptedBody::new().wait(&gate).data("abc").hides_end();
    let probe = body.probe();
    assert_eq!(body.size_hint().exact(), None);
    let reader = tokio::spawn(body.collect());
    let limit = Duration::from_secs(5);
    until_eq(limit, true, || probe.is_waiting()).await.unwrap();
    gate.open();
    assert_eq!(reader.await.unwrap().unwrap().to_bytes(), "abc");
    assert!(!probe.is_waiting());
}

#[tokio::test]
async fn panics_where_told() {
    let body = ScriptedBody::new().panic("boom");
    let probe = body.probe();
    assert!(tokio::spawn(body.collect()).await.unwrap_err().is_panic());
    assert!(probe.is_dropped());
}

#[test]
fn end_of_stream_is_honest_unless_hidden() {
    assert!(ScriptedBody::new().is_end_stream());
    assert!(!ScriptedBody::new().hides_end().is_end_stream());
}
