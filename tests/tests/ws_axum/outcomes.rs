//! What comes of handshakes that become none.

use tower_vitals::encode::Protocol;

use super::*;

#[tokio::test]
async fn a_refused_handshake_is_counted_by_what_is_wrong_with_it() -> Result<()> {
    let refusals = [
        ("GET ", "POST ", "405", "method"),
        ("connection: upgrade\r\n", "", "400", "invalid_connection"),
        ("connection: upgrade", "connection: close", "400", "invalid_connection"),
        ("upgrade: websocket", "upgrade: h2c", "400", "invalid_upgrade"),
        ("upgrade: websocket", "upgrade: h2c, websocket", "400", "invalid_upgrade"),
        ("version: 13", "version: 12", "400", "invalid_version"),
        ("sec-websocket-version: 13\r\n", "", "400", "invalid_version"),
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", "400", "missing_key"),
        ("HTTP/1.1", "HTTP/1.0", "426", "not_upgradable"),
        // What a proxy leaves of a handshake that knows nothing of WebSockets.
        (
            "connection: upgrade\r\nupgrade: websocket\r\n",
            "",
            "400",
            "invalid_connection",
        ),
    ];
    let bare = serve(Router::new().route("/ws", any(bare_echo))).await?;
    for (from, to, status, outcome) in refusals {
        let vitals = Vitals::new();
        let addr = layered(&vitals, Router::new().route("/ws", any(echo))).await?;
        let request = HANDSHAKE.replacen(from, to, 1);
        assert_ne!(request, HANDSHAKE);
        assert_eq!(status_of(addr, &request).await?, status, "{outcome}");
        handshakes_are(&vitals, &[(&format!("/ws {outcome}"), 1)]).await?;
        let end = std::time::Duration::from_millis(50);
        let [ours, axums] = [
            raw(addr, request.as_bytes(), end).await?,
            raw(bare, request.as_bytes(), end).await?,
        ];
        assert_eq!(undated(&ours), undated(&axums), "{outcome}");
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_handshake_over_http2_is_counted_by_what_is_wrong_with_it() -> Result<()> {
    let refusals = [
        (Method::GET, None, "13", "405", "method"),
        (Method::CONNECT, Some("chess"), "13", "400", "invalid_protocol"),
        (Method::CONNECT, Some("websocket"), "12", "400", "invalid_version"),
    ];
    for (method, protocol, version, status, outcome) in refusals {
        let vitals = Vitals::new();
        let addr = layered(&vitals, Router::new().route("/ws", any(echo))).await?;
        let (_client, mut exchange) = ask_http2(addr, method, protocol, version).await?;
        assert_eq!(exchange.head().await?.status().as_str(), status, "{outcome}");
        handshakes_are(&vitals, &[(&format!("/ws {outcome}"), 1)]).await?;
    }
    Ok(())
}

/// Refuses everybody.
struct Nobody;

impl<S: Sync> FromRequestParts<S> for Nobody {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Err(StatusCode::UNAUTHORIZED)
    }
}

#[tokio::test]
async fn a_handshake_that_the_application_refuses_is_denied() -> Result<()> {
    let vitals = Vitals::new();
    let refuse = middleware::from_fn(async |_: axum::extract::Request, _: middleware::Next| StatusCode::FORBIDDEN);
    let router = Router::new()
        .route("/before", any(async |_: Nobody, upgrade: MeteredUpgrade| echo(upgrade).await))
        .route("/after", any(async |upgrade: MeteredUpgrade, _: Nobody| echo(upgrade).await))
        .route("/handler", any(async |_: MeteredUpgrade| StatusCode::IM_A_TEAPOT))
        .route("/layer", any(echo).layer(refuse))
        .route("/get", axum::routing::get(echo));
    let addr = layered(&vitals, router).await?;
    let asked = [
        ("GET /before", "401"),
        ("GET /after", "401"),
        ("GET /handler", "418"),
        ("GET /layer", "403"),
        ("POST /get", "405"),
        ("GET /nowhere", "404"),
    ];
    for (line, status) in asked {
        let request = HANDSHAKE.replacen("GET /ws", line, 1);
        assert_eq!(status_of(addr, &request).await?, status, "{line}");
    }
    let denied = [
        ("/before denied", 1),
        ("/after denied", 1),
        ("/handler denied", 1),
        ("/layer denied", 1),
        ("/get denied", 1),
        ("_unmatched denied", 1),
    ];
    handshakes_are(&vitals, &denied).await?;
    assert_eq!(connections(&vitals), Numbers::new());
    Ok(())
}

#[tokio::test]
async fn a_handshake_of_which_nothing_is_made_is_abandoned() -> Result<()> {
    let vitals = Vitals::new();
    let router = Router::new()
        .route(
            "/dropped",
            any(async |upgrade: MeteredUpgrade| upgrade.endpoint().name().to_owned()),
        )
        .route("/ignored", any(async || "hello"))
        .route(
            "/lost",
            any(async |upgrade: MeteredUpgrade| {
                drop(echo(upgrade).await);
                "hello"
            }),
        );
    let addr = layered(&vitals, router).await?;
    for path in ["/dropped", "/ignored", "/lost"] {
        assert_eq!(status_of(addr, &HANDSHAKE.replacen("/ws", path, 1)).await?, "200");
    }
    let abandoned = [("/dropped abandoned", 1), ("/ignored abandoned", 1), ("/lost abandoned", 1)];
    handshakes_are(&vitals, &abandoned).await
}

#[tokio::test]
async fn a_handshake_over_http2_of_which_nothing_is_made_is_abandoned() -> Result<()> {
    let vitals = Vitals::new();
    let router = Router::new().route("/ws", any(async |_: MeteredUpgrade| "hello"));
    let addr = layered(&vitals, router).await?;
    let (_client, mut exchange) = ask_http2(addr, Method::CONNECT, Some("websocket"), "13").await?;
    assert_eq!(exchange.head().await?.status(), 200);
    handshakes_are(&vitals, &[("/ws abandoned", 1)]).await
}

#[tokio::test]
async fn a_websocket_of_axum_itself_is_unmetered() -> Result<()> {
    let vitals = Vitals::new();
    let addr = layered(&vitals, Router::new().route("/ws", any(bare_echo))).await?;
    let mut socket = connect(addr, "/ws").await?;
    says(&mut socket, "hello").await?;
    handshakes_are(&vitals, &[("/ws unmetered", 1)]).await?;
    let (_client, mut exchange) = ask_http2(addr, Method::CONNECT, Some("websocket"), "13").await?;
    assert_eq!(exchange.head().await?.status(), 200);
    handshakes_are(&vitals, &[("/ws unmetered", 2)]).await?;
    drop((socket, exchange));
    assert_eq!(connections(&vitals), Numbers::new());
    Ok(())
}

#[tokio::test]
async fn a_handshake_whose_handler_panics_is_that() -> Result<()> {
    let vitals = Vitals::new();
    let router = Router::new().route("/ws", any(async |_: MeteredUpgrade| -> Response { panic!("on purpose") }));
    let addr = layered(&vitals, router).await?;
    let answer = status_of(addr, HANDSHAKE).await;
    assert!(answer.is_err(), "{answer:?}");
    handshakes_are(&vitals, &[("/ws panicked", 1)]).await
}

#[tokio::test]
async fn of_a_route_without_websockets_only_handshakes_are_shown() -> Result<()> {
    let vitals = Vitals::new();
    let router = Router::new().route("/plain", any(async || "hi"));
    let addr = layered(&vitals, router).await?;
    assert_eq!(status_of(addr, &HANDSHAKE.replace("/ws", "/plain")).await?, "200");
    handshakes_are(&vitals, &[("/plain abandoned", 1)]).await?;
    let text = vitals.encode_to_string(Protocol::TEXT);
    let of_it: Vec<_> = text.lines().filter(|line| line.contains(r#"endpoint="/plain""#)).collect();
    assert_eq!(
        of_it,
        [r#"websocket_handshakes_total{endpoint="/plain",outcome="abandoned"} 1"#]
    );
    Ok(())
}

#[tokio::test]
async fn a_handshake_whose_client_went_away_is_cancelled() -> Result<()> {
    let vitals = Vitals::new();
    let (asked, mut was_asked) = mpsc::channel(1);
    let router = Router::new().route(
        "/ws",
        any(async move |upgrade: MeteredUpgrade| {
            let _ = asked.send(()).await;
            std::future::pending::<()>().await;
            echo(upgrade).await
        }),
    );
    let addr = layered(&vitals, router).await?;
    let mut conn = RawConn::connect(addr).await?;
    conn.write(HANDSHAKE.as_bytes()).await?;
    was_asked.recv().await.ok_or("nobody asked")?;
    assert_eq!(handshakes(&vitals), Numbers::new());
    drop(conn);
    handshakes_are(&vitals, &[("/ws cancelled", 1)]).await
}

#[tokio::test]
async fn an_upgrade_that_fails_is_told_to_the_application_and_counted() -> Result<()> {
    let vitals = Vitals::new();
    let (failed, mut has_failed) = mpsc::channel(1);
    let router = Router::new().route(
        "/ws",
        any(async move |upgrade: MeteredUpgrade| {
            let failed = move |error: axum::Error| assert!(failed.try_send(error.to_string()).is_ok());
            upgrade.on_failed_upgrade(failed).on_upgrade(echo_on)
        }),
    );
    let router = router.layer(WebSocketLayer::new(&vitals));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        // Who serves so forgot the upgrades.
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        Ok::<_, tests::BoxError>(connection.await?)
    });
    assert_eq!(status_of(addr, HANDSHAKE).await?, "101");
    let error = timeout(LIMIT, has_failed.recv()).await?.ok_or("it was never told")?;
    assert!(error.contains("upgrade"), "{error}");
    handshakes_are(&vitals, &[("/ws upgrade_failed", 1)]).await?;
    assert_eq!(connections(&vitals), Numbers::new());
    Ok(())
}
