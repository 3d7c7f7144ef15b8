//! reqwest's client as a Tower service, against real servers.

mod http_common;

use std::future::poll_fn;
use std::pin::pin;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use http_common::app::{Built, Gates};
use http_common::{LIMIT, Seen};
use hyper::body::Incoming;
use reqwest::Client;
use tests::Result;
use tests::body::ScriptedBody;
use tests::server::Server;
use tests::until::until_eq;
use tower::{Layer, Service, ServiceExt};
use tower_vitals::{MetricsLayer, ReqwestService, Vitals};

/// One over each version of HTTP.
fn services() -> Result<[(Version, ReqwestService); 2]> {
    let http1 = Client::builder().no_proxy().build()?;
    let http2 = Client::builder().no_proxy().http2_prior_knowledge().build()?;
    Ok([
        (Version::HTTP_11, http1.into()),
        (Version::HTTP_2, ReqwestService::new(http2)),
    ])
}

fn http1() -> Result<ReqwestService> {
    let [(_, service), _] = services()?;
    Ok(service)
}

fn request(server: &Server, method: Method, path: &str) -> Result<Request<&'static str>> {
    let uri = format!("http://{}{path}", server.addr());
    Ok(Request::builder().method(method).uri(uri).body("")?)
}

/// Tells what came, with a header of its own and the request's body in two frames and trailers.
async fn echo(request: Request<Incoming>) -> Response<ScriptedBody> {
    if request.uri().path() == "/old" {
        let response = Response::builder().status(StatusCode::FOUND).header("location", "/new");
        return response.body(ScriptedBody::new()).expect("its parts are valid");
    }
    let (head, body) = request.into_parts();
    let sent = head.headers.get("x-sent").cloned();
    let trailers = [("x-sum".parse().expect("it is a name"), "7".parse().expect("it is a value"))];
    let body = body.collect().await.expect("the body comes whole").to_bytes();
    let body = ScriptedBody::new()
        .data(format!("{} {} {:?}: ", head.method, head.uri.path(), head.uri.query()))
        .data(body)
        .trailers(trailers.into_iter().collect());
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::CREATED;
    if let Some(sent) = sent {
        response.headers_mut().insert("x-answer", sent);
    }
    response
        .headers_mut()
        .insert("trailer", "x-sum".parse().expect("it is a value"));
    response
}

#[tokio::test]
async fn requests_and_responses_come_through_whole() -> Result<()> {
    let server = Server::start_fn(echo).await?;
    for (version, service) in services()? {
        for (method, sent, text) in [
            (Method::GET, "", "GET /users/1 Some(\"a=b%20c\"): "),
            (Method::POST, "pro", "POST /users/1 Some(\"a=b%20c\"): pro"),
            (
                Method::from_bytes(b"PROPFIND")?,
                "all",
                "PROPFIND /users/1 Some(\"a=b%20c\"): all",
            ),
        ] {
            let mut request = request(&server, method, "/users/1?a=b%20c")?.map(|_| sent);
            request.headers_mut().insert("x-sent", "by the test".parse()?);
            request.headers_mut().insert("te", "trailers".parse()?);
            let response = service.clone().oneshot(request).await?;
            assert_eq!(response.status(), StatusCode::CREATED);
            assert_eq!(response.version(), version);
            assert_eq!(response.headers()["x-answer"], "by the test");
            let body = response.into_body().collect().await?;
            assert_eq!(body.trailers().ok_or("there are trailers")?["x-sum"], "7", "{version:?}");
            assert_eq!(body.to_bytes(), text);
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_version_of_a_request_is_kept() -> Result<()> {
    let version = async |request: Request<Incoming>| Response::new(format!("{:?}", request.version()));
    let server = Server::start_fn(version).await?;
    for (version, seen) in [(Version::HTTP_10, "HTTP/1.0"), (Version::HTTP_11, "HTTP/1.1")] {
        let mut request = request(&server, Method::GET, "/")?;
        *request.version_mut() = version;
        let response = http1()?.oneshot(request).await?;
        assert_eq!(response.into_body().collect().await?.to_bytes(), seen);
    }
    let mut request = request(&server, Method::GET, "/")?;
    *request.version_mut() = Version::HTTP_2;
    let error = http1()?.oneshot(request).await.expect_err("the connection speaks HTTP/1.1");
    assert!(error.is_request(), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn reqwest_takes_the_response_back_with_its_url() -> Result<()> {
    let server = Server::start_fn(echo).await?;
    for (_, service) in services()? {
        let response = service.oneshot(request(&server, Method::GET, "/old")?).await?;
        let response = reqwest::Response::from(response);
        assert_eq!(response.url().as_str(), format!("http://{}/new", server.addr()));
        assert_eq!(response.remote_addr(), Some(server.addr()));
        assert_eq!(response.text().await?, "GET /new None: ");
    }
    Ok(())
}

#[tokio::test]
async fn a_body_of_any_kind_streams_through_a_proxy() -> Result<()> {
    let server = Server::start_fn(echo).await?;
    let (to, client) = (server.addr(), http1()?);
    let proxy = tower::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(reqwest::Body::wrap);
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = Uri::try_from(format!("http://{to}/behind")).expect("it is a URI");
        client.clone().oneshot(request)
    });
    let proxy = Server::start(proxy).await?;
    for (version, service) in services()? {
        let mut request = request(&proxy, Method::POST, "/before")?.map(|_| Bytes::from("pro"));
        request.headers_mut().insert("te", "trailers".parse()?);
        let body = service.oneshot(request).await?.into_body().collect().await?;
        assert!(body.trailers().is_some(), "{version:?}");
        assert_eq!(body.to_bytes(), "POST /behind None: pro", "{version:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_layer_for_http_wraps_it() -> Result<()> {
    let server = Server::start_fn(echo).await?;
    for (_, service) in services()? {
        let vitals = Vitals::new();
        let service = MetricsLayer::new(&vitals).layer(service);
        let response = service.oneshot(request(&server, Method::GET, "/")?).await?;
        assert_eq!(Seen::of(&vitals), Seen::one_in_flight("GET"));
        response.into_body().collect().await?;
        let one = Seen::ended(&[("GET _unmatched 201 none completed", 1)], &[("GET _unmatched 2xx", 1)]);
        one.settles(&vitals).await?;
    }
    Ok(())
}

#[tokio::test]
async fn nobody_listens() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let request = Request::get(format!("http://{}/", taken.local_addr()?)).body("")?;
    drop(taken);
    let error = http1()?.oneshot(request).await.expect_err("nobody listens");
    assert!(error.is_connect(), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_uri_that_names_no_server_is_an_error() -> Result<()> {
    for uri in ["/users/1", "*", "127.0.0.1:80", "shop.example:443", "ftp://shop.example/"] {
        let request = Request::get(uri).body("")?;
        let error = http1()?.oneshot(request).await.expect_err("there is no server");
        assert!(error.is_builder(), "{uri}: {error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_future_that_is_dropped_ends_the_request() -> Result<()> {
    for (version, mut service) in services()? {
        let vitals = Vitals::new();
        let server = Built::Axum.serve(Some(&vitals), &Gates::opened()).await?;
        {
            let mut future = pin!(service.call(request(&server, Method::GET, "/never")?));
            let under_way = || Seen::of(&vitals) == Seen::one_in_flight("GET");
            let sent = until_eq(LIMIT, true, under_way);
            let answered = poll_fn(|cx| future.as_mut().poll(cx).map(|answer| answer.map(drop)));
            tokio::select! {
                sent = sent => sent?,
                answer = answered => return Err(format!("{version:?}: {answer:?}").into()),
            }
        }
        let aborted = Seen::ended(&[("GET /never - none aborted", 1)], &[("GET /never -", 1)]);
        aborted.settles(&vitals).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_dropped_ends_the_request() -> Result<()> {
    for (version, service) in services()? {
        let (vitals, gates) = (Vitals::new(), Gates::default());
        gates.head.open();
        let server = Built::Axum.serve(Some(&vitals), &gates).await?;
        let mut response = service.oneshot(request(&server, Method::GET, "/stream")?).await?;
        let first = response.frame().await.ok_or("there is a frame")??;
        assert_eq!(first.into_data().ok(), Some(Bytes::from("first")), "{version:?}");
        assert_eq!(Seen::of(&vitals), Seen::one_in_flight("GET"));
        drop(response);
        let aborted = Seen::ended(&[("GET /stream 200 none aborted", 1)], &[("GET /stream 2xx", 1)]);
        aborted.settles(&vitals).await?;
    }
    Ok(())
}
