//! The layer around clients: what each way in which a request that is sent can end counts as.

mod http_common;

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use http_common::app::{Built, Gates};
use http_common::sent::{Kind, Sender, Sent, hyper};
use http_common::{LIMIT, Seen, numbers};
use hyper::body::Incoming;
use tests::Result;
use tests::server::Server;
use tests::until::until_eq;
use tower::{Layer, Service, ServiceExt};
use tower_vitals::{ClientMetricsLayer, Vitals, encode::Protocol};

fn request(addr: SocketAddr, method: &str, path: &str) -> Result<Request<Full<Bytes>>> {
    let request = Request::builder().method(method).uri(format!("http://{addr}{path}"));
    Ok(request.header("authorization", "Bearer a.b.c").body(Full::default())?)
}

/// Answers with the status that the path ends in.
async fn status(request: Request<Incoming>) -> Response<String> {
    let code = request.uri().path().rsplit('/').next().and_then(|code| code.parse().ok());
    let mut response = Response::new("answer".to_owned());
    *response.status_mut() = code.expect("the path ends in a status");
    response
}

/// Runs a test with each client, around which there is a layer for the target `shop`.
async fn each(addr: SocketAddr, test: impl AsyncFn(Sender, &Vitals) -> Result<()>) -> Result<()> {
    for kind in Kind::ALL {
        let vitals = Vitals::new();
        let sender = kind.layered(&ClientMetricsLayer::new(&vitals, "shop"), addr)?;
        test(sender, &vitals).await.map_err(|error| format!("{kind:?}: {error}"))?;
        let text = vitals.encode_to_string(Protocol::TEXT);
        let port = addr.port().to_string();
        for raw in ["127.0.0.1", &port, "a.b.c", "bearer", "jwt"] {
            let labels = text.lines().filter_map(|line| line.split_once('{')?.1.rsplit_once('}'));
            assert!(labels.clone().all(|(labels, _)| !labels.contains(raw)), "{raw}: {text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_is_answered_completes_with_its_status() -> Result<()> {
    let server = Server::start_fn(status).await?;
    each(server.addr(), async |mut sender, vitals| {
        for (method, path) in [
            ("GET", "/200"),
            ("GET", "/a/200"),
            ("POST", "/404"),
            ("BREW", "/503"),
            ("GET", "/500"),
        ] {
            let response = sender.ready().await?.call(request(server.addr(), method, path)?).await?;
            assert_eq!(*path.rsplit('/').next().unwrap_or_default(), *response.status().as_str());
            let counted = if method == "BREW" { "_OTHER" } else { method };
            assert_eq!(Sent::of(vitals).in_flight, Sent::one_in_flight(counted).in_flight, "{path}");
            assert_eq!(response.into_body().collect().await?.to_bytes(), "answer");
        }
        let requests = [
            ("GET shop 200 completed", 2),
            ("GET shop 500 completed", 1),
            ("POST shop 404 completed", 1),
            ("_OTHER shop 503 completed", 1),
        ];
        let durations = [
            ("GET shop 2xx", 2),
            ("GET shop 5xx", 1),
            ("POST shop 4xx", 1),
            ("_OTHER shop 5xx", 1),
        ];
        Sent::ended(&requests, &durations).settles(vitals).await
    })
    .await
}

#[tokio::test]
async fn a_connection_that_is_refused_is_failed() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let addr = taken.local_addr()?;
    drop(taken);
    each(addr, async |sender, vitals| {
        let refused = sender.oneshot(request(addr, "GET", "/")?).await;
        assert!(refused.is_err(), "nobody listens");
        Sent::ended(&[("GET shop - failed", 1)], &[("GET shop -", 1)])
            .settles(vitals)
            .await
    })
    .await
}

#[tokio::test]
async fn a_request_given_up_before_the_head_is_aborted() -> Result<()> {
    let served = Vitals::new();
    let server = Built::Axum.serve(Some(&served), &Gates::opened()).await?;
    each(server.addr(), async |sender, vitals| {
        let sending = sender.oneshot(request(server.addr(), "GET", "/never")?);
        let under_way = || Seen::of(&served).in_flight == Seen::one_in_flight("GET").in_flight;
        tokio::select! {
            arrived = until_eq(LIMIT, true, under_way) => arrived?,
            answer = sending => return Err(format!("{answer:?}").into()),
        }
        // The future is gone.
        let aborted = Sent::ended(&[("GET shop - aborted", 1)], &[("GET shop -", 1)]);
        assert_eq!(Sent::of(vitals), aborted);
        until_eq(LIMIT, false, under_way).await
    })
    .await
}

/// How much of `/stream` is read: the head, the first frame, or all.
async fn read(path: &str, frames: Option<usize>, requests: &str, durations: &str) -> Result<()> {
    for kind in Kind::ALL {
        let (gates, vitals) = (Gates::default(), Vitals::new());
        gates.head.open();
        let server = Built::Axum.serve(None, &gates).await?;
        let sender = kind.layered(&ClientMetricsLayer::new(&vitals, "shop"), server.addr())?;
        let mut response = sender.oneshot(request(server.addr(), "GET", path)?).await?;
        for _ in 0..frames.unwrap_or_default() {
            response.frame().await.ok_or("there is a frame")??;
        }
        assert_eq!(Sent::of(&vitals), Sent::one_in_flight("GET"), "{kind:?}");
        if frames.is_none() {
            gates.body.open();
            let _ = response.into_body().collect().await;
        } else {
            drop(response);
        }
        let ended = Sent::ended(&[(requests, 1)], &[(durations, 1)]);
        assert_eq!(Sent::of(&vitals), ended, "{kind:?}: {path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_request_given_up_inside_the_body_is_aborted() -> Result<()> {
    for path in ["/stream", "/stream-of-ten"] {
        read(path, Some(1), "GET shop 200 aborted", "GET shop 2xx").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_nobody_looked_at_is_not_missed() -> Result<()> {
    for path in ["/stream", "/stream-of-ten", "/trailers"] {
        read(path, Some(0), "GET shop 200 completed", "GET shop 2xx").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_body_completes_or_fails_with_its_end() -> Result<()> {
    for path in ["/stream", "/stream-of-ten", "/trailers"] {
        read(path, None, "GET shop 200 completed", "GET shop 2xx").await?;
    }
    for path in ["/torn", "/stream-of-ten/torn"] {
        read(path, None, "GET shop 200 failed", "GET shop 2xx").await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_application_names_targets_within_a_budget() -> Result<()> {
    let server = Server::start_fn(status).await?;
    // Two are `_unmatched` and the layer's own.
    let vitals = Vitals::builder().label_budget(4).build()?;
    let layer = ClientMetricsLayer::builder(&vitals, "others").target_with(|head| {
        let target = head.headers.get("x-target")?.to_str().ok();
        target.map(Into::into)
    });
    let sender = Kind::Hyper1.layered(&layer.build()?, server.addr())?;
    for target in ["", "payments", "mail", "late", "later", "payments"] {
        let mut request = request(server.addr(), "GET", "/200")?;
        if !target.is_empty() {
            request.headers_mut().insert("x-target", target.parse()?);
        }
        sender.clone().oneshot(request).await?.into_body().collect().await?;
    }
    let (requests, durations): (Vec<_>, Vec<_>) = [("others", 1), ("payments", 2), ("mail", 1), ("_other", 2)]
        .map(|(target, count)| {
            (
                (format!("GET {target} 200 completed"), count),
                (format!("GET {target} 2xx"), count),
            )
        })
        .into_iter()
        .unzip();
    let borrowed = |of: &'static str, numbers: &[(String, u64)]| {
        let sent = Sent::of(&vitals);
        let found = if of == "requests" { sent.requests } else { sent.durations };
        assert_eq!(found, numbers.iter().cloned().collect(), "{of}");
    };
    borrowed("requests", &requests);
    borrowed("durations", &durations);
    let text = vitals.encode_to_string(Protocol::TEXT);
    let overflow = numbers(&text, "vitals_label_overflow_total", &["family", "label"]);
    assert!(overflow["http_client_requests_total target"] > 0, "{overflow:?}");
    Ok(())
}

/// A client's stack in which a token is fetched first, by a client with a layer of its own.
#[tokio::test]
async fn a_nested_request_to_another_target_counts_for_itself() -> Result<()> {
    let server = Server::start_fn(status).await?;
    let addr = server.addr();
    for (tokens, expected) in [
        ("tokens", vec![("GET api 200 completed", 1), ("POST tokens 201 completed", 1)]),
        // It is part of the request to the same target.
        ("api", vec![("GET api 200 completed", 1)]),
    ] {
        let vitals = Vitals::new();
        let fetch = Kind::Hyper1.layered(&ClientMetricsLayer::new(&vitals, tokens), addr)?;
        let client = hyper::<Full<Bytes>>(false);
        let with_token = tower::service_fn(move |sent: Request<Full<Bytes>>| {
            let (fetch, client) = (fetch.clone(), client.clone());
            async move {
                let token = fetch.oneshot(request(addr, Method::POST.as_str(), "/201")?).await?;
                assert_eq!(token.status(), StatusCode::CREATED);
                token.into_body().collect().await?;
                Ok::<_, tests::BoxError>(client.oneshot(sent).await?)
            }
        });
        let api = ClientMetricsLayer::new(&vitals, "api").layer(with_token);
        let response = api.oneshot(request(addr, "GET", "/200")?).await?;
        response.into_body().collect().await?;
        let sent = Sent::of(&vitals);
        assert_eq!(sent.requests, Sent::ended(&expected, &[]).requests);
        assert_eq!((sent.durations.len(), sent.in_flight.len()), (expected.len(), 0));
    }
    Ok(())
}

/// As above, where each request tells its target.
#[tokio::test]
async fn told_targets_are_told_apart_and_count_once() -> Result<()> {
    let server = Server::start_fn(status).await?;
    let addr = server.addr();
    let vitals = Vitals::new();
    let by_path = ClientMetricsLayer::builder(&vitals, "others").target_with(|head| match head.uri.path() {
        "/201" => Some("tokens".into()),
        _ => Some("api".into()),
    });
    let by_path = by_path.build()?;
    let named = ClientMetricsLayer::new(&vitals, "api");
    let client = named.layer(by_path.layer(by_path.layer(named.layer(hyper::<Full<Bytes>>(false)))));
    let tokens = by_path.layer(hyper::<Full<Bytes>>(false));
    let with_token = tower::service_fn(move |sent: Request<Full<Bytes>>| {
        let (client, tokens) = (client.clone(), tokens.clone());
        async move {
            let token = tokens.oneshot(request(addr, "POST", "/201")?).await?;
            token.into_body().collect().await?;
            Ok::<_, tests::BoxError>(client.oneshot(sent).await?)
        }
    });
    let layer = ClientMetricsLayer::builder(&vitals, "others").target_with(|_| Some("api".into()));
    let api = layer.build()?.layer(with_token);
    let response = api.oneshot(request(addr, "GET", "/200")?).await?;
    response.into_body().collect().await?;
    let requests = [("GET api 200 completed", 1), ("POST tokens 201 completed", 1)];
    Sent::ended(&requests, &[("GET api 2xx", 1), ("POST tokens 2xx", 1)])
        .settles(&vitals)
        .await
}

#[tokio::test]
async fn the_same_target_layered_twice_counts_once() -> Result<()> {
    let server = Server::start_fn(status).await?;
    let vitals = Vitals::new();
    let layer = || ClientMetricsLayer::new(&vitals, "api");
    let client = layer().layer(layer().layer(hyper::<Full<Bytes>>(false)));
    for _ in 0..3 {
        let response = client.clone().oneshot(request(server.addr(), "GET", "/200")?).await?;
        assert_eq!(Sent::of(&vitals).in_flight, Sent::one_in_flight("GET").in_flight);
        response.into_body().collect().await?;
    }
    Sent::ended(&[("GET api 200 completed", 3)], &[("GET api 2xx", 3)])
        .settles(&vitals)
        .await
}
