//! What callers see of a body.

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full, StreamBody};

use super::{super::BreakerBody, Bench, data, respond, trailers};
use crate::{AtBodyEnd, GrpcClassifier, HttpClassifier, Outcome};

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
