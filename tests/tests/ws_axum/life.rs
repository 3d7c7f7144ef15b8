//! Limits of a connection's life, places for connections, and servers that stop.

use std::{future::pending, panic::resume_unwind, time::Duration};

use tests::until::until;
use tower_vitals::ws::{CloseCode, Drain, Heartbeat, Limits, SortBy, WebSockets};

use super::*;

pub(crate) fn ended(vitals: &Vitals) -> Numbers {
    let labels = ["endpoint", "initiator", "cause", "code"];
    family(vitals, "websocket_connections_closed_total", &labels)
}

/// What the other side sees of the end: the code, and what came before.
pub(crate) async fn code_of<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Result<(Option<u16>, usize)> {
    let mut before = 0;
    let mut code = None;
    while let Some(message) = timeout(LIMIT, socket.next()).await? {
        match message? {
            Message::Close(frame) => code = frame.map(|frame| frame.code.into()),
            _ => before += 1,
        }
    }
    Ok((code, before))
}

#[tokio::test]
async fn limits_are_those_of_the_connection() -> Result<()> {
    let vitals = Vitals::new();
    let on = |limits: Limits| any(async move |upgrade: MeteredUpgrade| upgrade.limits(limits).on_upgrade(echo_on));
    let beat = Heartbeat::every(Duration::from_millis(100)).timeout(LIMIT);
    let router = Router::new()
        .route("/idle", on(Limits::new().idle_timeout(Duration::from_millis(300))))
        .route(
            "/old",
            on(Limits::new().heartbeat(beat).max_lifetime(Duration::from_millis(500))),
        );
    let addr = layered(&vitals, router).await?;
    let (mut idle, mut old) = (connect(addr, "/idle").await?, connect(addr, "/old").await?);
    assert_eq!(code_of(&mut idle).await?, (Some(1001), 0));
    let (code, pings) = code_of(&mut old).await?;
    assert_eq!(code, Some(1001));
    assert!(pings >= 2, "{pings}");
    let expected = [("/idle local idle_timeout 1001", 1), ("/old local lifetime 1001", 1)];
    until_eq(LIMIT, owned(&expected), || ended(&vitals)).await?;
    let rtts = of_endpoints(&vitals, "websocket_ping_rtt_seconds_count");
    assert!(rtts["/old"] >= 1 && rtts["/idle"] == 0, "{rtts:?}");
    Ok(())
}

#[tokio::test]
async fn pings_without_end_are_limited_unless_said_otherwise() -> Result<()> {
    let vitals = Vitals::new();
    let any_number = Limits::new().max_pings_per_second(u32::MAX);
    let router = Router::new().route("/ws", any(echo)).route(
        "/any",
        any(async move |upgrade: MeteredUpgrade| upgrade.limits(any_number).on_upgrade(echo_on)),
    );
    let addr = layered(&vitals, router).await?;
    for (path, is_limited) in [("/ws", true), ("/any", false)] {
        let mut socket = connect(addr, path).await?;
        for _ in 0..300 {
            socket.feed(Message::Ping("x".into())).await?;
        }
        let _ = socket.flush().await;
        if is_limited {
            let (code, pongs) = code_of(&mut socket).await?;
            assert_eq!(code, Some(1008));
            assert!(pongs <= 101, "{pongs}");
        } else {
            socket.send(Message::text("still there")).await?;
            while !timeout(LIMIT, socket.next()).await?.ok_or("it ended")??.is_text() {}
            closes(socket).await?;
        }
    }
    let expected = [("/any remote close_frame none", 1), ("/ws local ping_flood 1008", 1)];
    until_eq(LIMIT, owned(&expected), || ended(&vitals)).await
}

/// Connections that echo, panic, or stay.
fn rooms() -> Router {
    Router::new()
        .route("/ws", any(echo))
        .route("/other", any(echo))
        .route(
            "/panics",
            any(async |upgrade: MeteredUpgrade| {
                upgrade.on_upgrade(async |mut socket| {
                    socket.recv().await;
                    resume_unwind(Box::new("on purpose"));
                })
            }),
        )
        .route("/dropped", any(async |_: MeteredUpgrade| "hello"))
        .route(
            "/busy",
            any(async |upgrade: MeteredUpgrade| upgrade.on_upgrade(async |_socket| pending().await)),
        )
}

#[tokio::test]
async fn there_are_no_more_connections_than_there_may_be() -> Result<()> {
    let vitals = Vitals::new();
    let layer = WebSocketLayer::new(&vitals)
        .max_connections_per_endpoint(2)
        .max_connections(3);
    let addr = serve(rooms().layer(layer)).await?;
    let mut open = vec![connect(addr, "/ws").await?, connect(addr, "/ws").await?];
    let full = HANDSHAKE;
    let answer = String::from_utf8(raw(addr, full.as_bytes(), Duration::from_millis(100)).await?)?;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("there are as many connections as there may be"), "{answer}");
    open.push(connect(addr, "/other").await?);
    assert_eq!(
        status_of(addr, &HANDSHAKE.replacen("/ws", "/other", 1)).await?,
        "503",
        "no more in all"
    );
    for socket in &mut open {
        says(socket, "hello").await?;
    }
    handshakes_are(
        &vitals,
        &[
            ("/other established", 1),
            ("/other over_capacity", 1),
            ("/ws established", 2),
            ("/ws over_capacity", 1),
        ],
    )
    .await?;
    closes(open.remove(0)).await?;
    until(
        LIMIT,
        || connections(&vitals),
        |open| open == &owned(&[("/other 1.1", 1), ("/ws 1.1", 1)]),
    )
    .await?;
    says(&mut connect(addr, "/ws").await?, "a place was given back").await
}

#[tokio::test]
async fn a_place_is_given_back_whatever_becomes_of_it() -> Result<()> {
    let vitals = Vitals::new();
    let layer = WebSocketLayer::new(&vitals).max_connections(1);
    let addr = serve(rooms().layer(layer)).await?;
    for round in 0..3 {
        let mut panics = connect(addr, "/panics").await?;
        panics.send(Message::text("go")).await?;
        until_eq(LIMIT, owned(&[("/panics local panicked none", round + 1)]), || ended(&vitals)).await?;
        until_eq(LIMIT, Numbers::new(), || connections(&vitals)).await?;
        assert_eq!(status_of(addr, &HANDSHAKE.replacen("/ws", "/dropped", 1)).await?, "200");
        // Refused by axum, before there is a place.
        assert_eq!(
            status_of(addr, &HANDSHAKE.replacen("version: 13", "version: 12", 1)).await?,
            "400"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_place_of_an_upgrade_that_fails_is_given_back() -> Result<()> {
    let vitals = Vitals::new();
    let layer = WebSocketLayer::new(&vitals).max_connections(1);
    let router = rooms().layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let forgetful = listener.local_addr()?;
    let forgets = router.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who serves so forgot the upgrades.
            let service = TowerToHyperService::new(forgets.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let addr = serve(router).await?;
    for failed in 1..4 {
        assert_eq!(status_of(forgetful, HANDSHAKE).await?, "101");
        handshakes_are(&vitals, &[("/ws upgrade_failed", failed)]).await?;
    }
    let mut socket = connect(addr, "/ws").await?;
    says(&mut socket, "hello").await?;
    assert_eq!(status_of(addr, HANDSHAKE).await?, "503");
    Ok(())
}

#[tokio::test]
async fn a_server_that_stops_closes_what_it_has_and_refuses_the_rest() -> Result<()> {
    let vitals = Vitals::new();
    let addr = layered(&vitals, rooms()).await?;
    let mut open = Vec::new();
    for path in ["/ws", "/ws", "/other", "/ws"] {
        let mut socket = connect(addr, path).await?;
        says(&mut socket, "hello").await?;
        open.push(socket);
    }
    let _busy = connect(addr, "/busy").await?;
    until(LIMIT, || connections(&vitals), |open| open.contains_key("/busy 1.1")).await?;
    let sockets = WebSockets::of(&vitals);
    let drain = Drain::new()
        .code(CloseCode::SERVICE_RESTART)
        .over(Duration::from_millis(300))
        .grace(Duration::from_secs(2));
    let draining = tokio::spawn(async move { sockets.drain(drain).await });
    for socket in &mut open {
        assert_eq!(code_of(socket).await?, (Some(1012), 0));
    }
    let answer = String::from_utf8(raw(addr, HANDSHAKE.as_bytes(), Duration::from_millis(100)).await?)?;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("the server stops"),
        "{answer}"
    );
    let drained = draining.await?;
    assert_eq!((drained.closed, drained.left), (4, 1));
    assert_eq!(status_of(addr, HANDSHAKE).await?, "503", "it goes on");
    assert_eq!(handshakes(&vitals)["/ws shutdown"], 2);
    assert_eq!(
        ended(&vitals),
        owned(&[("/other local shutdown 1012", 1), ("/ws local shutdown 1012", 3)])
    );
    Ok(())
}

#[tokio::test]
async fn an_operator_closes_the_one_that_is_listed() -> Result<()> {
    let vitals = Vitals::new();
    let addr = layered(&vitals, rooms()).await?;
    let (mut one, mut other) = (connect(addr, "/ws").await?, connect(addr, "/other").await?);
    says(&mut one, "hello").await?;
    says(&mut other, "hello").await?;
    let sockets = WebSockets::of(&vitals);
    let listed = sockets.connections(SortBy::Age, 10);
    let endpoints: Vec<_> = listed.iter().map(|one| one.endpoint.as_str()).collect();
    assert_eq!(endpoints, ["/ws", "/other"]);
    assert!(
        listed
            .iter()
            .all(|one| (one.received_messages, one.attempted_messages) == (1, 1))
    );
    assert!(sockets.kick(listed[1].id, CloseCode::new(4000)?));
    assert_eq!(code_of(&mut other).await?, (Some(4000), 0));
    until_eq(LIMIT, owned(&[("/other local kicked 4xxx", 1)]), || ended(&vitals)).await?;
    assert!(!sockets.kick(listed[1].id, CloseCode::NORMAL));
    says(&mut one, "still there").await
}
