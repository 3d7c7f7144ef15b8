//! What is a WebSocket, and whose numbers its own are.

use super::*;

#[tokio::test]
async fn websockets_belong_to_the_templates_of_their_routes() -> Result<()> {
    let vitals = Vitals::new();
    let feeds = || Router::new().route("/feed/{id}", any(echo));
    let router = Router::new().route("/ws/{room}", any(echo));
    let router = router.nest("/api", feeds()).nest_service("/mounted", feeds());
    let addr = layered(&vitals, router).await?;
    let mut sockets = Vec::new();
    for path in ["/ws/a", "/ws/b", "/api/feed/1", "/mounted/feed/2"] {
        let mut socket = connect(addr, path).await?;
        says(&mut socket, "hello").await?;
        sockets.push(socket);
    }
    let open = owned(&[
        ("/api/feed/{id} 1.1", 1),
        ("/mounted/feed/{id} 1.1", 1),
        ("/ws/{room} 1.1", 2),
    ]);
    assert_eq!(connections(&vitals), open);
    let established = [
        ("/api/feed/{id} established", 1),
        ("/mounted/feed/{id} established", 1),
        ("/ws/{room} established", 2),
    ];
    handshakes_are(&vitals, &established).await?;
    let each = |one: u64| owned(&[("/api/feed/{id}", one), ("/mounted/feed/{id}", one), ("/ws/{room}", 2 * one)]);
    for kind in ["attempted", "flushed"] {
        assert_eq!(of_endpoints(&vitals, &format!("websocket_messages_{kind}_total")), each(1));
        assert_eq!(of_endpoints(&vitals, &format!("websocket_bytes_{kind}_total")), each(5));
    }
    for socket in sockets {
        closes(socket).await?;
    }
    until_eq(LIMIT, Numbers::new(), || connections(&vitals)).await?;
    let closed = [
        ("/api/feed/{id} remote close_frame none", 1),
        ("/mounted/feed/{id} remote close_frame none", 1),
        ("/ws/{room} remote close_frame none", 2),
    ];
    let labels = ["endpoint", "initiator", "cause", "code"];
    assert_eq!(family(&vitals, "websocket_connections_closed_total", &labels), owned(&closed));
    until_eq(LIMIT, each(1), || {
        of_endpoints(&vitals, "websocket_connection_duration_seconds_count")
    })
    .await?;
    handshakes_are(&vitals, &established).await
}

#[tokio::test]
async fn a_handshake_is_answered_as_axum_answers_it() -> Result<()> {
    let ours = any(async |upgrade: MeteredUpgrade| {
        let asked = upgrade.requested_protocols().count();
        let upgrade = upgrade.protocols(["mqtt", "wamp"]);
        let chosen = upgrade.selected_protocol().is_some();
        assert_eq!((asked, chosen), if chosen { (2, true) } else { (0, false) });
        upgrade.on_upgrade(echo_on)
    });
    let axums = any(async |upgrade: ws::WebSocketUpgrade| bare_echo(upgrade.protocols(["mqtt", "wamp"])).await);
    let vitals = Vitals::new();
    let ours = layered(&vitals, Router::new().route("/ws", ours)).await?;
    let axums = serve(Router::new().route("/ws", axums)).await?;
    let with_protocols = HANDSHAKE.replacen("upgrade:", "sec-websocket-protocol: soap, wamp\r\nupgrade:", 1);
    for request in [HANDSHAKE, &with_protocols] {
        let mut heads = Vec::new();
        for addr in [ours, axums] {
            let mut conn = RawConn::connect(addr).await?;
            conn.write(request.as_bytes()).await?;
            heads.push(undated(&conn.read_until(b"\r\n\r\n").await?));
        }
        assert!(heads[0].starts_with("HTTP/1.1 101 "), "{}", heads[0]);
        assert_eq!(heads[0].contains("sec-websocket-protocol: wamp"), request == with_protocols);
        assert_eq!(heads[0], heads[1]);
    }
    Ok(())
}

#[tokio::test]
async fn without_the_layer_the_answer_names_it() -> Result<()> {
    let without = serve(Router::new().route("/ws", any(echo))).await?;
    let end = std::time::Duration::from_millis(50);
    let answer = raw(without, HANDSHAKE.as_bytes(), end).await?;
    let answer = String::from_utf8(answer)?;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(
        answer.ends_with("`MeteredUpgrade` needs `WebSocketLayer` around the router"),
        "{answer}"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_no_handshake_is_answered_by_axum_and_not_counted() -> Result<()> {
    let vitals = Vitals::new();
    let app = || Router::new().route("/ws", any(echo)).route("/other", any(async || "other"));
    let bare = serve(Router::new().route("/ws", any(bare_echo))).await?;
    let request = b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let axums = undated(&raw(bare, request, LIMIT).await?);
    assert!(axums.starts_with("HTTP/1.1 400 "), "{axums}");
    let with_layer = layered(&vitals, app()).await?;
    for addr in [serve(app()).await?, with_layer] {
        assert_eq!(undated(&raw(addr, request, LIMIT).await?), axums);
    }
    let other = "GET /other HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
    assert_eq!(status_of(with_layer, other).await?, "200");
    assert_eq!(handshakes(&vitals), Numbers::new());
    Ok(())
}

#[tokio::test]
async fn a_websocket_over_http2_is_one() -> Result<()> {
    let vitals = Vitals::new();
    let addr = layered(&vitals, Router::new().route("/ws", any(echo))).await?;
    let bare = serve(Router::new().route("/ws", any(bare_echo))).await?;
    let mut heads = Vec::new();
    for addr in [bare, addr] {
        let (_client, mut exchange) = ask_http2(addr, Method::CONNECT, Some("websocket"), "13").await?;
        let head = exchange.head().await?;
        heads.push(undated_head(head.status(), head.headers()));
        let io = exchange.upgrade().await?;
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
        says(&mut socket, "hello").await?;
        let open = if heads.len() == 2 {
            owned(&[("/ws 2", 1)])
        } else {
            Numbers::new()
        };
        assert_eq!(connections(&vitals), open);
        closes(socket).await?;
    }
    assert_eq!(heads[0], heads[1]);
    until_eq(LIMIT, Numbers::new(), || connections(&vitals)).await?;
    handshakes_are(&vitals, &[("/ws established", 1)]).await?;
    let flushed = of_endpoints(&vitals, "websocket_bytes_flushed_total");
    assert_eq!(flushed, owned(&[("/ws", 5)]));
    Ok(())
}

#[tokio::test]
async fn requests_and_websockets_are_counted_side_by_side() -> Result<()> {
    for websockets_outside in [true, false] {
        let vitals = Vitals::new();
        let app = Router::new().route("/ws", any(echo));
        let requests = MetricsLayer::new(&vitals);
        let router = if websockets_outside {
            app.layer(requests).layer(WebSocketLayer::new(&vitals))
        } else {
            app.layer(WebSocketLayer::new(&vitals)).layer(requests)
        };
        let addr = serve(router).await?;
        let mut over_http1 = connect(addr, "/ws").await?;
        says(&mut over_http1, "hello").await?;
        let (_client, exchange) = ask_http2(addr, Method::CONNECT, Some("websocket"), "13").await?;
        let io = exchange.upgrade().await?;
        let mut over_http2 = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
        says(&mut over_http2, "hello").await?;
        // Both are open: the requests are over, and no time of theirs will ever be in the histogram.
        let ended = Seen::ended(
            &[("GET /ws 101 none completed", 1), ("CONNECT /ws 200 none completed", 1)],
            &[],
        );
        ended.settles(&vitals).await?;
        assert_eq!(connections(&vitals), owned(&[("/ws 1.1", 1), ("/ws 2", 1)]));
        closes(over_http1).await?;
        closes(over_http2).await?;
        until_eq(LIMIT, Numbers::new(), || connections(&vitals)).await?;
        ended.settles(&vitals).await?;
        let durations = || of_endpoints(&vitals, "websocket_connection_duration_seconds_count");
        until_eq(LIMIT, owned(&[("/ws", 2)]), durations).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_second_layer_of_the_same_vitals_counts_nothing_twice() -> Result<()> {
    let vitals = Vitals::new();
    let inner = Router::new().route("/ws", any(echo)).layer(WebSocketLayer::new(&vitals));
    let addr = layered(&vitals, inner).await?;
    let mut socket = connect(addr, "/ws").await?;
    says(&mut socket, "hello").await?;
    assert_eq!(connections(&vitals), owned(&[("/ws 1.1", 1)]));
    assert_eq!(
        status_of(addr, &HANDSHAKE.replace("version: 13", "version: 12")).await?,
        "400"
    );
    handshakes_are(&vitals, &[("/ws established", 1), ("/ws invalid_version", 1)]).await
}
