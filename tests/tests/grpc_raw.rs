//! gRPC, frame by frame: calls whose callers stream, servers that answer strangely, and strangers who make up names.

mod http_common;

use std::convert::Infallible;
use std::future::ready;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use http_common::{BOTH, LIMIT, Numbers, Seen, family, owned};
use tests::body::{Gate, ScriptedBody};
use tests::client::Client;
use tests::server::Server;
use tests::until::until_eq;
use tests::{BoxError, Result};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_vitals::{MetricsLayer, RequestBodyLayer, Vitals};

/// A message of so many bytes, with its prefix. Read as prefixes, its contents would be messages, too.
fn message(length: usize) -> Vec<u8> {
    let mut message = vec![0];
    message.extend(u32::try_from(length).expect("it fits").to_be_bytes());
    message.resize(message.len() + length, 0);
    message
}

fn call(path: &str) -> http::request::Builder {
    Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

fn trailers(status: HeaderValue) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().expect("it is a name"), status)])
}

fn fine() -> HeaderMap {
    trailers(HeaderValue::from_static("0"))
}

/// Reads the whole request, then answers with one message, or none to `Forget`.
async fn answer_at_end<B>(request: Request<B>) -> Result<Response<ScriptedBody>, BoxError>
where
    B: http_body::Body<Error: Into<BoxError>>,
{
    let forget = request.uri().path().ends_with("/Forget");
    request.into_body().collect().await.map_err(Into::into)?;
    let body = ScriptedBody::new();
    let body = if forget { body } else { body.data(message(3)) };
    Ok(Response::new(body.trailers(fine())))
}

fn calls(vitals: &Vitals) -> Numbers {
    family(vitals, "grpc_requests_total", &["service", "method", "code", "outcome"])
}

fn streams(vitals: &Vitals) -> Numbers {
    family(vitals, "http_streams_in_flight", &["kind"])
}

fn ended_streams(vitals: &Vitals) -> Numbers {
    let labels = ["method", "route", "kind"];
    family(vitals, "http_stream_duration_seconds_count", &labels)
}

/// A request of several messages, in frames that begin and end anywhere.
fn cut(messages: &[usize], frame: usize) -> ScriptedBody {
    let bytes: Vec<u8> = messages.iter().flat_map(|length| message(*length)).collect();
    bytes
        .chunks(frame)
        .fold(ScriptedBody::new(), |body, frame| body.data(frame.to_vec()))
}

#[tokio::test]
async fn a_call_whose_caller_streams_is_a_stream() -> Result<()> {
    for (method, messages, frame, streamed) in [
        ("Fill", &[7, 0][..], 1, true),
        ("Fill", &[0, 0], 10, true),
        ("Forget", &[300, 300], 64, true),
        ("Fill", &[300], 1, false),
        ("Forget", &[], 1, false),
    ] {
        let (path, route) = (format!("/shop.Cart/{method}"), format!("POST /shop.Cart/{method}"));
        let vitals = Vitals::new();
        let inner = RequestBodyLayer::new().layer(service_fn(answer_at_end));
        let server = Server::start(MetricsLayer::new(&vitals).layer(inner)).await?;
        let mut client = Client::http2(server.addr()).await?;
        client.send(call(&path).body(cut(messages, frame))?).await?;
        let ended = [(&*format!("{route} grpc"), u64::from(streamed))];
        let expected = if streamed { owned(&ended) } else { Numbers::new() };
        let called = owned(&[(&format!("shop.Cart {method} OK completed"), 1)]);
        until_eq(LIMIT, (called, expected), || (calls(&vitals), ended_streams(&vitals))).await?;
        let timed = [(&*format!("{route} 2xx"), 1)];
        let timed = if streamed { &[][..] } else { &timed };
        let seen = Seen::ended(&[(&format!("{route} 200 none completed"), 1)], timed);
        seen.settles(&vitals).await?;
    }
    Ok(())
}

#[tokio::test]
async fn nobody_sees_the_callers_messages_without_the_layer_inside() -> Result<()> {
    let vitals = Vitals::new();
    let server = Server::start(MetricsLayer::new(&vitals).layer(service_fn(answer_at_end))).await?;
    let mut client = Client::http2(server.addr()).await?;
    client.send(call("/shop.Cart/Fill").body(cut(&[7, 0], 64))?).await?;
    let completed = [("POST /shop.Cart/Fill 200 none completed", 1)];
    let seen = Seen::ended(&completed, &[("POST /shop.Cart/Fill 2xx", 1)]);
    seen.settles(&vitals).await?;
    assert_eq!(ended_streams(&vitals), Numbers::new());
    Ok(())
}

/// Both directions of a call tell that it is a stream, so one answer to two messages does.
#[tokio::test]
async fn a_call_that_answers_while_its_caller_streams_is_in_flight_as_a_stream() -> Result<()> {
    let (vitals, gate) = (Vitals::new(), Gate::new());
    let held = gate.clone();
    let chat = service_fn(move |request: Request<_>| {
        let body = ScriptedBody::new().data(message(1)).wait(&held).trailers(fine());
        async move {
            let body = body.hides_end();
            BodyExt::collect(request.into_body()).await.map_err(BoxError::from)?;
            Ok::<_, BoxError>(Response::new(body))
        }
    });
    let inner = RequestBodyLayer::new().layer(chat);
    let server = Server::start(MetricsLayer::new(&vitals).layer(inner)).await?;
    let mut client = Client::http2(server.addr()).await?;
    let mut exchange = client.start(call("/shop.Cart/Chat").body(cut(&[1, 1], 64))?).await?;
    assert!(exchange.frame().await?.is_some());
    assert_eq!(streams(&vitals), owned(&[("grpc", 1)]));
    gate.open();
    exchange.finish().await?;
    until_eq(LIMIT, owned(&[("grpc", 0)]), || streams(&vitals)).await?;
    assert_eq!(ended_streams(&vitals), owned(&[("POST /shop.Cart/Chat grpc", 1)]));
    Ok(())
}

/// How a server may end a call, and the code that its caller makes of it.
struct Ending {
    what: &'static str,
    http: u16,
    head: Option<HeaderValue>,
    trailers: Option<HeaderMap>,
    expected: &'static str,
}

/// Calls `/shop.Cart/Pay` once, and tells what was counted.
async fn ends_as(ending: &Ending) -> Result<Numbers> {
    let vitals = Vitals::new();
    let (status, head, last) = (
        StatusCode::from_u16(ending.http)?,
        ending.head.clone(),
        ending.trailers.clone(),
    );
    let answer = service_fn(move |_: Request<_>| {
        let body = ScriptedBody::new().data(message(2));
        let mut response = Response::new(match last.clone() {
            Some(trailers) => body.trailers(trailers),
            None => body,
        });
        *response.status_mut() = status;
        if let Some(head) = head.clone() {
            response.headers_mut().insert("grpc-status", head);
        }
        ready(Ok::<_, Infallible>(response))
    });
    let server = Server::start(MetricsLayer::new(&vitals).layer(answer)).await?;
    let mut client = Client::http2(server.addr()).await?;
    let answer = client
        .send(call("/shop.Cart/Pay").body(Full::<Bytes>::from(message(0)))?)
        .await?;
    assert_eq!(answer.body, message(2), "{}", ending.what);
    until_eq(LIMIT, 1, || calls(&vitals).values().sum()).await?;
    Ok(calls(&vitals))
}

#[tokio::test]
async fn a_strange_status_is_unknown() -> Result<()> {
    let text = |text: &str| HeaderValue::from_str(text);
    let table = [
        ("a word", text("OK")?),
        ("none of gRPC's", text("17")?),
        ("negative", text("-1")?),
        ("with a sign", text("+0")?),
        ("with a zero before it", text("00")?),
        ("with a space in it", text("1 2")?),
        ("as large as no number", text(&"9".repeat(10_000))?),
        ("empty", text("")?),
        ("no text", HeaderValue::from_bytes(b"\xff\xfe")?),
    ];
    let unknown = owned(&[("_unmatched _unmatched UNKNOWN completed", 1)]);
    for (what, status) in table {
        let in_head = Ending {
            what,
            http: 200,
            head: Some(status.clone()),
            trailers: None,
            expected: "",
        };
        assert_eq!(ends_as(&in_head).await?, unknown, "{what}, in the head");
        let at_end = Ending {
            head: None,
            trailers: Some(trailers(status)),
            ..in_head
        };
        assert_eq!(ends_as(&at_end).await?, unknown, "{what}, in the trailers");
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_status_is_read_from_that_of_http() -> Result<()> {
    let none = Some(HeaderMap::from_iter([("x-other".parse()?, HeaderValue::from_static("0"))]));
    for (http, expected) in [
        (200, "UNKNOWN"),
        (404, "UNIMPLEMENTED"),
        (401, "UNAUTHENTICATED"),
        (503, "UNAVAILABLE"),
    ] {
        for trailers in [None, none.clone()] {
            let ending = Ending {
                what: "without a status",
                http,
                head: None,
                trailers,
                expected,
            };
            let completed = format!("_unmatched _unmatched {} completed", ending.expected);
            assert_eq!(ends_as(&ending).await?, owned(&[(&completed, 1)]), "{http}");
        }
    }
    Ok(())
}

/// What comes last is what the caller takes.
#[tokio::test]
async fn the_trailers_go_before_the_head() -> Result<()> {
    let ending = Ending {
        what: "twice",
        http: 200,
        head: Some(HeaderValue::from_static("0")),
        trailers: Some(trailers(HeaderValue::from_static("9"))),
        expected: "FAILED_PRECONDITION",
    };
    let expected = format!("shop.Cart Pay {} completed", ending.expected);
    assert_eq!(ends_as(&ending).await?, owned(&[(&expected, 1)]));
    Ok(())
}

/// A call that never got a code has none, and only what was known before has a name.
#[tokio::test]
async fn a_call_that_breaks_has_no_code() -> Result<()> {
    let vitals = Vitals::new();
    let answer = service_fn(|request: Request<_>| async move {
        let _: &hyper::body::Incoming = request.body();
        let body = ScriptedBody::new().data(message(2));
        match request.uri().path() {
            "/shop.Cart/Known" if request.headers().contains_key("x-breaks") => Ok(body.error("torn")),
            "/shop.Cart/Known" => Ok(body.trailers(fine())),
            "/shop.Cart/Torn" => Ok(body.error("torn")),
            "/shop.Cart/Panics" => panic!("on purpose"),
            _ => Err(BoxError::from("failed")),
        }
        .map(Response::new)
    });
    let server = Server::start(MetricsLayer::new(&vitals).layer(answer)).await?;
    let request = |path: &str, header: &'static str| call(path).header(header, "1").body(Full::<Bytes>::from(message(0)));
    for (path, header) in [
        ("/shop.Cart/Known", "x-fine"),
        ("/shop.Cart/Known", "x-breaks"),
        ("/shop.Cart/Torn", "x-breaks"),
        ("/shop.Cart/Panics", "x-breaks"),
        ("/shop.Cart/Fails", "x-breaks"),
    ] {
        let sent = Client::http2(server.addr()).await?.send(request(path, header)?).await;
        assert_eq!(sent.is_ok(), header == "x-fine", "{path}");
    }
    let expected = owned(&[
        ("shop.Cart Known OK completed", 1),
        ("shop.Cart Known - failed", 1),
        ("_unmatched _unmatched - failed", 2),
        ("_unmatched _unmatched - panicked", 1),
    ]);
    until_eq(LIMIT, expected, || calls(&vitals)).await
}

#[tokio::test]
async fn what_only_looks_like_a_call_is_none() -> Result<()> {
    let vitals = Vitals::new();
    let inner = RequestBodyLayer::new().layer(service_fn(answer_at_end));
    let server = Server::start(MetricsLayer::new(&vitals).layer(inner)).await?;
    let ask = |method: &str, content_type: &str| {
        Request::builder()
            .method(method)
            .uri("/shop.Cart/Fill")
            .header("content-type", content_type)
            .body(cut(&[1, 1], 64))
    };
    for version in BOTH {
        let mut client = version.connect(server.addr()).await?;
        client.send(ask("PUT", "application/grpc")?).await?;
        client.send(ask("GET", "application/grpc")?).await?;
        client.send(ask("POST", "application/grpc-web")?).await?;
        client.send(ask("POST", "application/grpcs")?).await?;
        client.send(ask("POST", "")?).await?;
    }
    // gRPC is of HTTP/2 only.
    let mut client = Client::http1(server.addr()).await?;
    client.send(ask("POST", "application/grpc")?).await?;
    until_eq(LIMIT, 11, || Seen::of(&vitals).total()).await?;
    let routes = owned(&[
        ("GET _unmatched 200 none completed", 2),
        ("POST _unmatched 200 none completed", 7),
        ("PUT _unmatched 200 none completed", 2),
    ]);
    assert_eq!(Seen::of(&vitals).requests, routes);
    assert_eq!((calls(&vitals), ended_streams(&vitals)), (Numbers::new(), Numbers::new()));
    Ok(())
}

/// Calls so many paths that nobody has heard of, of a server that answers all with this status.
async fn strangers(vitals: &Vitals, many: u32, status: &'static str) -> Result<()> {
    let answer = service_fn(move |_: Request<Full<Bytes>>| {
        let status = HeaderValue::from_static(status);
        ready(Ok::<_, Infallible>(Response::new(
            ScriptedBody::new().trailers(trailers(status)),
        )))
    });
    let mut service = MetricsLayer::new(vitals).layer(answer);
    for n in 0..many {
        let request = call(&format!("/made.Up{n}/Method{n}")).version(Version::HTTP_2);
        let response = service.ready().await?.call(request.body(Full::default())?).await?;
        response.into_body().collect().await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[tokio::test]
async fn twenty_thousand_made_up_paths_make_no_series() -> Result<()> {
    for (status, code) in [
        ("12", "UNIMPLEMENTED"),
        ("16", "UNAUTHENTICATED"),
        ("2", "UNKNOWN"),
        ("", "UNKNOWN"),
    ] {
        let vitals = Vitals::new();
        strangers(&vitals, 20_000, status).await?;
        assert_eq!(
            calls(&vitals),
            owned(&[(&format!("_unmatched _unmatched {code} completed"), 20_000)])
        );
        let requests = [("POST _unmatched 200 none completed", 20_000)];
        assert_eq!(Seen::of(&vitals), Seen::ended(&requests, &[("POST _unmatched 2xx", 20_000)]));
    }
    Ok(())
}

/// A server that answers any path as if it had it, such as a proxy, meets the budgets.
#[tokio::test]
async fn a_server_that_says_it_has_any_method_ends_at_the_budgets() -> Result<()> {
    let vitals = Vitals::builder().label_budget(10).build()?;
    strangers(&vitals, 20_000, "0").await?;
    let (calls, seen) = (calls(&vitals), Seen::of(&vitals));
    assert_eq!((calls.values().sum::<u64>(), seen.total()), (20_000, 20_000));
    assert!(calls.len() <= 10 + 2 && seen.requests.len() <= 10 + 2, "{calls:?} {seen:?}");
    // So many methods are remembered at most, whatever the budgets; the first nine of them have names.
    assert_eq!(calls["_other _other OK completed"], 2_000 - 9);
    assert_eq!(calls["_unmatched _unmatched OK completed"], 18_000);
    assert!(seen.durations.len() <= 10 + 2, "{seen:?}");
    Ok(())
}
