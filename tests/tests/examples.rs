//! The further examples, each run as a user runs it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::Request;
use libtest_mimic::{Arguments, Failed, Trial};
use tests::client::{Client, get};
use tests::example::{Example, PAUSE, SOON, program};
use tests::exchange::Answer;
use tests::required::{run, trial};
use tests::until::until_async;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    let trials = vec![
        example("auth", "tells_who", auth),
        example("auth", "hashes_alike_in_each_process", auth_hashes_alike),
        example("breaker", "opens_and_closes", breaker),
        example("breaker_reqwest", "tells_what_became_of_calls", breaker_reqwest),
        example("chat", "rooms_operators_and_a_slow_reader", chat),
        example("hyper_server", "counts", hyper_server_counts),
        example("hyper_server", "stops", hyper_server_stops),
        example("outbound", "counts_both_sides", outbound),
        example("tonic_server", "counts_and_stops", tonic_server),
        trial("ws_client::talks_and_counts", &[], || {
            run(LIMIT, ws_client(program("ws_client")?, program("ws_echo")?))
        }),
        example("ws_client", "says_who_is_not_there", ws_client_alone),
        example("ws_client", "tells_of_an_ending_that_is_not_its_own", ws_client_left),
        example("ws_echo", "says_it_again", ws_echo),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A trial with the built program.
fn example<F>(name: &'static str, what: &str, test: impl FnOnce(&'static Path) -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<(), Failed>> + Send + 'static,
{
    trial(format!("{name}::{what}"), &[], move || run(LIMIT, test(program(name)?)))
}

async fn auth(program: &Path) -> Result<(), Failed> {
    let vars = [
        ("ID_SECRET", "sixteen bytes or more"),
        ("JWT_SECRET", "signs"),
        ("API_KEYS", "ci=secret key,other=another"),
    ];
    let server = Example::start(program, &vars).await?;
    assert!(!server.output()?.contains("secret key"), "{}", server.output()?);
    let mut client = server.client().await?;
    let token = client.send(get("/token")).await?;
    let bearer = format!("Bearer {}", token.text()?);
    // As good a token, by somebody else.
    let forged = Example::start(program, &[("JWT_SECRET", "another")]).await?;
    let forged = forged.client().await?.send(get("/token")).await?;
    let forged = format!("Bearer {}", forged.text()?);
    for (name, value, status) in [
        ("authorization", &*bearer, 200),
        ("x-api-key", "secret key", 200),
        ("x-api-key", "secret keys", 401),
        ("x-api-key", "ci", 401),
        ("x-api-key", "", 401),
        ("authorization", &forged, 401),
        ("authorization", "Bearer a.b.c", 401),
        ("authorization", "Basic YWxpY2U6", 401),
        ("x-anything", "", 401),
    ] {
        let request = Request::get("/me").header(name, value);
        let answer = client.send(request.body(String::new())?).await?;
        assert_eq!(answer.status().as_u16(), status, "{name}: {value}");
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
    }
    // The first 8 hex digits of HMAC-SHA-256, by Python's hmac.
    let alice = r#"http_user_requests_total{auth_type="jwt",user="1f5c6a2a",outcome="completed"} 1"#;
    server.shows("http_user_requests_total{", vec![alice.to_owned()]).await?;
    let ci = r#"http_api_key_requests_total{auth_type="api_key",api_key="f777d06d",outcome="completed"} 1"#;
    server.shows("http_api_key_requests_total{", vec![ci.to_owned()]).await?;
    let scrape = client.send(get("/metrics")).await?;
    for raw in ["alice", "secret key", "\"ci\""] {
        assert!(!scrape.text()?.contains(raw), "{raw}");
    }
    Ok(())
}

async fn auth_hashes_alike(program: &Path) -> Result<(), Failed> {
    let mut seen = Vec::new();
    let secret = "the same in both of them";
    // The last one makes up its own.
    for secret in [secret, secret, "of another application", ""] {
        let server = Example::start(program, &[("ID_SECRET", secret), ("API_KEYS", "ci=key")]).await?;
        let mut client = server.client().await?;
        let token = client.send(get("/token")).await?;
        let bearer = format!("Bearer {}", token.text()?);
        let mut hashes = Vec::new();
        for (name, value, family) in [
            ("authorization", &*bearer, "http_user_requests_total{"),
            ("x-api-key", "key", "http_api_key_requests_total{"),
        ] {
            let request = Request::get("/me").header(name, value);
            assert_eq!(client.send(request.body(String::new())?).await?.status(), 200);
            let is_there = |lines: &tests::Result<Vec<String>>| matches!(lines, Ok(lines) if lines.len() == 1);
            hashes.extend(until_async(SOON, PAUSE, || server.lines(family), is_there).await??);
        }
        seen.push(hashes);
    }
    assert_eq!(seen[0], seen[1]);
    for (hashes, other) in [(0, 2), (0, 3), (2, 3)].map(|(one, other)| (&seen[one], &seen[other])) {
        assert!(hashes[0] != other[0] && hashes[1] != other[1], "{hashes:?} {other:?}");
    }
    Ok(())
}

async fn breaker(program: &Path) -> Result<(), Failed> {
    let server = Example::start(program, &[]).await?;
    let post = |path| Request::post(path).body(String::new());
    let shows_state = async |state: u8| {
        let line = "circuit_breaker_state{";
        server.shows(line, vec![format!(r#"{line}breaker="stock"}} {state}"#)]).await
    };
    let (good, bad) = ((200, "7 are left\n"), (500, "broken\n"));
    let mut client = server.client().await?;
    assert_eq!(seen(&client.send(get("/stock")).await?)?, good);
    shows_state(0).await?;
    assert_eq!(client.send(post("/break")?).await?.status(), 200);
    for _ in 0..3 {
        assert_eq!(seen(&client.send(get("/stock")).await?)?, bad);
    }
    shows_state(1).await?;
    let (answer, first) = let_through(&server).await?;
    assert_eq!(seen(&answer)?, bad, "the probe fails");
    shows_state(1).await?;
    assert_eq!(client.send(post("/mend")?).await?.status(), 200);
    let (answer, second) = let_through(&server).await?;
    assert_eq!(seen(&answer)?, good);
    shows_state(2).await?;
    assert_eq!(seen(&client.send(get("/stock")).await?)?, good);
    shows_state(0).await?;
    breaker_has_counted(&server, first + second).await?;
    let printed = server.output()?;
    let printed: Vec<_> = printed.lines().filter(|line| line.starts_with("stock: ")).collect();
    let expected = [
        "stock: closed -> open: consecutive_failures",
        "stock: open -> half_open: open_time_over",
        "stock: half_open -> open: probes_failed",
        "stock: open -> half_open: open_time_over",
        "stock: half_open -> closed: probes_succeeded",
    ];
    assert_eq!(printed, expected);
    Ok(())
}

fn seen(answer: &Answer) -> tests::Result<(u16, &str)> {
    Ok((answer.status().as_u16(), answer.text()?))
}

/// Checks what the metrics say after the whole story, with so many rejections.
async fn breaker_has_counted(server: &Example, rejected: u64) -> Result<(), Failed> {
    let transitions = [
        (r#"from="closed",to="open",reason="consecutive_failures""#, 1),
        (r#"from="closed",to="open",reason="failure_rate""#, 0),
        (r#"from="open",to="half_open",reason="open_time_over""#, 2),
        (r#"from="half_open",to="open",reason="probes_failed""#, 1),
        (r#"from="half_open",to="open",reason="lease_expired""#, 0),
        (r#"from="half_open",to="closed",reason="probes_succeeded""#, 1),
    ];
    let rejections = [
        (r#"reason="open""#, rejected),
        (r#"reason="half_open_full""#, 0),
        (r#"reason="forced_open""#, 0),
    ];
    let successes = [(r#"outcome="success""#, 3)];
    let failures = [(r#"outcome="failure""#, 4)];
    for (start, expected) in [
        (r#"transitions_total{breaker="stock","#, &transitions[..]),
        (r#"rejected_total{breaker="stock","#, &rejections),
        (r#"calls_total{breaker="stock",outcome="success"#, &successes),
        (r#"calls_total{breaker="stock",outcome="failure"#, &failures),
    ] {
        let family = start.split('{').next().unwrap_or_default();
        let line = |(labels, count): &_| format!(r#"circuit_breaker_{family}{{breaker="stock",{labels}}} {count}"#);
        let expected = expected.iter().map(line).collect();
        server.shows(&format!("circuit_breaker_{start}"), expected).await?;
    }
    Ok(())
}

/// Asks until the breaker lets a call through. Gives its answer, and how many were rejected before. What those were told is true: who
/// waits as long is not rejected again, and a second less would not have been enough.
async fn let_through(server: &Example) -> Result<(Answer, u64), Failed> {
    let asked = || async {
        let began = Instant::now();
        let answer = server.client().await?.send(get("/stock")).await?;
        tests::Result::Ok((began, answer, Instant::now()))
    };
    let rejections = Mutex::new(Vec::new());
    let is_let_through = |asked: &tests::Result<(Instant, Answer, Instant)>| match asked {
        Ok((began, answer, ended)) if answer.status() == 503 => {
            let retry_after = answer.header("retry-after").and_then(|value| value.parse().ok());
            rejections
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((*began, retry_after, *ended));
            false
        }
        Ok(_) | Err(_) => true,
    };
    let (_, answer, ended) = until_async(SOON, PAUSE, asked, is_let_through).await??;
    let rejections = rejections.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (last_began, _, _) = *rejections.last().ok_or("one was rejected")?;
    let second = Duration::from_secs(1);
    for (began, retry_after, told) in &rejections {
        let wait = second * retry_after.ok_or("a rejection has a time")?;
        assert!(wait >= second && wait <= 3 * second, "{wait:?}");
        assert!(last_began < *told + wait, "{wait:?} is too short");
        assert!(*began + wait < ended + second, "{wait:?} is too long");
    }
    Ok((answer, rejections.len() as u64))
}

async fn breaker_reqwest(program: &Path) -> Result<(), Failed> {
    let mut example = Example::spawn(program, None, &[])?;
    assert_eq!(example.exit_code().await?, 0, "{:?}", example.errors());
    let printed = example.output()?;
    let mut lines = printed.lines();
    for expected in [
        "closed: 200 OK",
        "closed: 200 OK",
        "closed: 503 Service Unavailable",
        "closed: 503 Service Unavailable",
        "open: 503 Service Unavailable",
        "open: circuit breaker `model` is open; try again in ",
        "closed: 200 OK",
        "the answer: 42",
        r#"circuit_breaker_calls_total{breaker="model",outcome="success"} 4"#,
        r#"circuit_breaker_calls_total{breaker="model",outcome="failure"} 3"#,
    ] {
        assert!(
            lines.next().is_some_and(|line| line.starts_with(expected)),
            "{expected}: {printed}"
        );
    }
    let rejected = r#"circuit_breaker_rejected_total{breaker="model",reason="open"} 1"#;
    assert!(lines.any(|line| line == rejected), "{printed}");
    Ok(())
}

async fn hyper_server_counts(program: &Path) -> Result<(), Failed> {
    let server = Example::start(program, &[]).await?;
    let mut clients = [server.client().await?, Client::http2(server.addr()).await?];
    for client in &mut clients {
        for (path, status, text) in [
            ("/", 200, "hello\n"),
            ("/users/42", 200, "user 42\n"),
            ("/users/", 404, "not here\n"),
            ("/users/42/43", 404, "not here\n"),
            ("/not/there", 404, "not here\n"),
        ] {
            let answer = client.send(get(path)).await?;
            assert_eq!((answer.status().as_u16(), answer.text()?), (status, text), "{path}");
        }
        let post = Request::post("/users/7").body(String::from("anything"))?;
        assert_eq!(client.send(post).await?.status(), 405);
        let scrape = client.send(get("/metrics")).await?;
        assert!(scrape.text()?.starts_with("# "), "{}", scrape.text()?);
    }
    let slow = server.open("/slow", 1).await?;
    slow.vanish().await;
    let expected = [
        ("GET", "/", "200", "completed", 2),
        ("GET", "/users/{id}", "200", "completed", 2),
        ("GET", "_unmatched", "404", "completed", 6),
        ("POST", "/users/{id}", "405", "completed", 2),
        ("GET", "/slow", "", "aborted", 1),
    ];
    let expected = expected.map(|(method, route, status, outcome, count)| {
        let labels = format!(r#"method="{method}",route="{route}",status="{status}",auth_type="none",outcome="{outcome}""#);
        format!("http_requests_total{{{labels}}} {count}")
    });
    server.shows("http_requests_total{", expected.into()).await?;
    Ok(())
}

async fn hyper_server_stops(program: &Path) -> Result<(), Failed> {
    let mut server = Example::start(program, &[]).await?;
    let _idle = server.client().await?;
    let slow = server.open("/slow", 1).await?;
    server.signal("INT")?;
    let answer = slow.finish().await?;
    assert_eq!(answer.text()?, "here at last\n");
    assert_eq!(server.exit_code().await?, 0);
    Ok(())
}

async fn outbound(program: &Path) -> Result<(), Failed> {
    let server = Example::start(program, &[]).await?;
    let mut client = server.client().await?;
    for (path, status, text) in [
        ("/price/7", 200, "item 7 costs 21\n"),
        ("/price/8", 200, "item 8 costs 24\n"),
        ("/review/7", 200, "item 7 is fine\n"),
        ("/review/70", 502, "deadline has elapsed\n"),
        ("/price/x", 400, ""),
    ] {
        let answer = client.send(get(path)).await?;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert!(text.is_empty() || answer.text()? == text, "{path}: {:?}", answer.text());
    }
    let expected = [
        ("prices", "200", "completed", 2),
        ("reviews", "200", "completed", 1),
        ("reviews", "", "aborted", 1),
    ];
    let expected = expected.map(|(target, status, outcome, count)| {
        let labels = format!(r#"method="GET",target="{target}",status="{status}",outcome="{outcome}""#);
        format!("http_client_requests_total{{{labels}}} {count}")
    });
    server.shows("http_client_requests_total{", expected.into()).await?;
    let in_flight = r#"http_client_requests_in_flight{method="GET"}"#;
    server.shows(in_flight, vec![format!("{in_flight} 0")]).await?;
    let expected = [
        ("/price/{item}", "200", 2),
        ("/price/{item}", "400", 1),
        ("/review/{item}", "200", 1),
        ("/review/{item}", "502", 1),
    ];
    let expected = expected.map(|(route, status, count)| {
        let labels = format!(r#"method="GET",route="{route}",status="{status}",auth_type="none",outcome="completed""#);
        format!("http_requests_total{{{labels}}} {count}")
    });
    server.shows("http_requests_total{", expected.into()).await?;
    Ok(())
}

async fn tonic_server(program: &Path) -> Result<(), Failed> {
    let mut server = Example::start(program, &[("GRPC_ADDR", "127.0.0.1:0")]).await?;
    let printed = server.output()?;
    let addr = printed.split("gRPC at ").nth(1).and_then(|rest| rest.split(';').next());
    let channel = Channel::from_shared(format!("http://{}", addr.ok_or("there is an address")?))?;
    let mut client = HealthClient::new(channel.connect().await?);
    let service = "shop.Cart".to_owned();
    let asking = HealthCheckRequest { service };
    let answer = client.check(asking.clone()).await?.into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let mut watch = client.watch(asking).await?.into_inner();
    assert!(watch.message().await?.is_some());
    let in_flight = "http_requests_in_flight{method=\"POST\"}";
    server.shows(in_flight, vec![format!("{in_flight} 1")]).await?;
    let once = r#"http_requests_total{method="POST",route="/grpc.health.v1.Health/Check",status="200",auth_type="none",outcome="completed"} 1"#;
    server.shows("http_requests_total{", vec![once.to_owned()]).await?;
    server.signal("INT")?;
    assert_eq!(server.exit_code().await?, 0);
    Ok(())
}

async fn ws_echo(program: &Path) -> Result<(), Failed> {
    let server = Example::start(program, &[]).await?;
    let page = server.client().await?.send(get("/")).await?;
    assert!(
        page.text()?.contains("new WebSocket(`ws://${location.host}/ws`)"),
        "{}",
        page.text()?
    );
    let stream = TcpStream::connect(server.addr()).await?;
    let (mut socket, _) = client_async(format!("ws://{}/ws", server.addr()), stream).await?;
    for text in ["hello", "and again"] {
        socket.send(Message::text(text)).await?;
        let back = timeout(SOON, socket.next()).await?.ok_or("it ended")??;
        assert_eq!(back, Message::text(text));
    }
    let shows = async |name: &str, rest: &str| {
        let start = format!("{name}{{");
        server.shows(&start, vec![format!("{start}endpoint=\"/ws\"{rest}")]).await
    };
    shows("websocket_connections", r#",http_version="1.1"} 1"#).await?;
    shows("websocket_handshakes_total", r#",outcome="established"} 1"#).await?;
    shows("websocket_messages_flushed_total", "} 2").await?;
    shows("websocket_bytes_flushed_total", "} 14").await?;
    let code = CloseFrame {
        code: CloseCode::Away,
        reason: "the page is left".into(),
    };
    socket.close(Some(code)).await?;
    let reply = timeout(SOON, socket.next()).await?.ok_or("no reply")??;
    assert!(reply.is_close(), "{reply:?}");
    let closed = r#",initiator="remote",cause="close_frame",code="1001"} 1"#;
    shows("websocket_connections_closed_total", closed).await?;
    shows("websocket_connections", r#",http_version="1.1"} 0"#).await?;
    let request = r#"http_requests_total{method="GET",route="/ws",status="101",auth_type="none",outcome="completed"} 1"#;
    server
        .shows("http_requests_total{method=\"GET\",route=\"/ws\"", vec![request.to_owned()])
        .await?;
    Ok(())
}

/// A member of a room.
async fn join(addr: SocketAddr, room: &str) -> tests::Result<WebSocketStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    // Whoever does not read is seen soon.
    socket.set_recv_buffer_size(4_096)?;
    let stream = socket.connect(addr).await?;
    Ok(client_async(format!("ws://{addr}/rooms/{room}"), stream).await?.0)
}

async fn hears(socket: &mut WebSocketStream<TcpStream>) -> tests::Result<Message> {
    loop {
        let message = timeout(SOON, socket.next()).await?.ok_or("it ended")??;
        if !message.is_ping() {
            return Ok(message);
        }
    }
}

/// The code that a member was told at the end.
async fn ends(socket: &mut WebSocketStream<TcpStream>) -> tests::Result<u16> {
    loop {
        if let Message::Close(frame) = hears(socket).await? {
            // The reply leaves with the end.
            assert!(timeout(SOON, socket.next()).await?.is_none());
            return Ok(frame.ok_or("no code")?.code.into());
        }
    }
}

async fn chat(program: &Path) -> Result<(), Failed> {
    let mut server = Example::start(program, &[("OPERATORS", "127.0.0.1:0")]).await?;
    let printed = server.output()?;
    let private = printed.split("http://").nth(2).and_then(|rest| rest.split('/').next());
    let private: SocketAddr = private.ok_or("there is a port for operators")?.parse()?;
    let mut operators = Client::http1(private).await?;
    let page = server.client().await?.send(get("/")).await?;
    assert!(page.text()?.contains("new WebSocket("), "{}", page.text()?);

    let [mut one, mut other, mut slow] = [
        join(server.addr(), "a").await?,
        join(server.addr(), "a").await?,
        join(server.addr(), "a").await?,
    ];
    let mut elsewhere = join(server.addr(), "b").await?;
    one.send(Message::text("hello")).await?;
    assert_eq!(hears(&mut one).await?, Message::text("hello"));
    assert_eq!(hears(&mut other).await?, Message::text("hello"));
    elsewhere.send(Message::text("is anybody there?")).await?;
    assert_eq!(
        hears(&mut elsewhere).await?,
        Message::text("is anybody there?"),
        "not what others say elsewhere"
    );

    // One does not read. The others do not wait for it.
    let long = "x".repeat(4_000);
    const SAID: usize = 2_000;
    for _ in 0..SAID {
        one.send(Message::text(long.as_str())).await?;
        assert_eq!(hears(&mut one).await?.len(), long.len());
        assert_eq!(hears(&mut other).await?.len(), long.len());
    }
    let worst = operators.send(get("/connections")).await?;
    let worst = worst.text()?.to_owned();
    assert_eq!(worst.lines().count(), 4, "{worst}");
    assert!(
        !worst.lines().next().unwrap_or_default().ends_with(", 0 bytes wait"),
        "{worst}"
    );
    assert_eq!(hears(&mut slow).await?, Message::text("hello"));
    let (mut heard, mut missed) = (0, 0);
    while heard + missed < SAID {
        let message = hears(&mut slow).await?;
        let text = message.to_text()?;
        match text
            .strip_prefix("* you missed ")
            .and_then(|rest| rest.strip_suffix(" messages"))
        {
            Some(count) => missed += count.parse::<usize>()?,
            None => heard += 1,
        }
    }
    assert_eq!(heard + missed, SAID);
    let metrics = operators.send(get("/metrics")).await?;
    let evicted = format!(r#"websocket_messages_dropped_total{{endpoint="/rooms/{{room}}",reason="evicted"}} {missed}"#);
    assert!(missed > 0 && metrics.text()?.contains(&evicted), "{evicted}");

    for (id, status) in [("x", 400), ("0123456789abcdef", 404), (&worst[..16], 200)] {
        let kick = Request::post(format!("/kick/{id}")).body(String::new())?;
        assert_eq!(operators.send(kick).await?.status(), status, "{id}");
    }
    assert_eq!(ends(&mut slow).await?, 1008);
    server.signal("INT")?;
    for socket in [&mut one, &mut other, &mut elsewhere] {
        assert_eq!(ends(socket).await?, 1012);
    }
    assert_eq!(server.exit_code().await?, 0);
    assert!(
        server.output()?.contains("3 connections closed, 0 left"),
        "{}",
        server.output()?
    );
    Ok(())
}

async fn ws_client(client: &Path, server: &Path) -> Result<(), Failed> {
    let server = Example::start(server, &[]).await?;
    let url = format!("ws://{}/ws", server.addr());
    let mut client = Example::spawn(client, None, &[("URL", &url)])?;
    assert_eq!(client.exit_code().await?, 0, "{:?}", client.errors());
    let printed = client.output()?;
    let (said, mut metrics): (Vec<_>, Vec<_>) = printed.lines().partition(|line| !line.starts_with("websocket_"));
    assert_eq!(said, ["hello: hello", "and again: and again", "goodbye: goodbye"]);
    assert!(metrics.iter().all(|line| line.contains(r#"{endpoint="echo""#)), "{printed}");
    // Those of times and sizes have their tests.
    metrics.retain(|line| line.contains("_total{"));
    metrics.sort_unstable();
    // The closing message is the library's, and only the reply to it is seen.
    let expected = [
        r#"websocket_bytes_attempted_total{endpoint="echo"} 21"#,
        r#"websocket_bytes_flushed_total{endpoint="echo"} 21"#,
        r#"websocket_bytes_received_total{endpoint="echo",kind="text"} 21"#,
        r#"websocket_connections_closed_total{endpoint="echo",initiator="local",cause="close_frame",code="none"} 1"#,
        r#"websocket_messages_attempted_total{endpoint="echo"} 3"#,
        r#"websocket_messages_flushed_total{endpoint="echo"} 3"#,
        r#"websocket_messages_received_total{endpoint="echo",kind="close"} 1"#,
        r#"websocket_messages_received_total{endpoint="echo",kind="text"} 3"#,
    ];
    assert_eq!(metrics, expected);

    for (name, rest) in [
        ("websocket_connections", r#",http_version="1.1"} 0"#),
        (
            "websocket_connections_closed_total",
            r#",initiator="remote",cause="close_frame",code="none"} 1"#,
        ),
        ("websocket_messages_flushed_total", "} 3"),
        ("websocket_bytes_flushed_total", "} 21"),
        ("websocket_handshakes_total", r#",outcome="established"} 1"#),
    ] {
        let start = format!("{name}{{");
        server.shows(&start, vec![format!("{start}endpoint=\"/ws\"{rest}")]).await?;
    }
    Ok(())
}

async fn ws_client_alone(client: &Path) -> Result<(), Failed> {
    // Bound and not listening: nobody else takes it, and it takes nobody.
    let nobody = TcpSocket::new_v4()?;
    nobody.bind(([127, 0, 0, 1], 0).into())?;
    let url = format!("ws://{}/ws", nobody.local_addr()?);
    let mut client = Example::spawn(client, None, &[("URL", &url)])?;
    assert_eq!(client.exit_code().await?, 1);
    let errors = client.errors()?;
    assert!(errors.contains(&format!("cannot connect to {url}: ")), "{errors}");
    assert!(errors.contains("ws_echo"), "{errors}");
    Ok(())
}

/// What it prints of a server that goes after the first word.
async fn ws_client_left(client: &Path) -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/ws", listener.local_addr()?);
    let mut client = Example::spawn(client, None, &[("URL", &url)])?;
    let (stream, _) = timeout(SOON, listener.accept()).await??;
    let mut socket = timeout(SOON, accept_async(stream)).await??;
    let said = timeout(SOON, socket.next()).await?.ok_or("it ended")??;
    socket.send(Message::Ping("are you there".into())).await?;
    socket.send(said).await?;
    let pong = timeout(SOON, socket.next()).await?.ok_or("it ended")??;
    assert_eq!(pong, Message::Pong("are you there".into()));
    let said = timeout(SOON, socket.next()).await?.ok_or("it ended")??;
    assert_eq!(said, Message::text("and again"));
    drop(socket);
    assert_eq!(client.exit_code().await?, 1, "{:?}", client.output());
    let printed = client.output()?;
    for expected in [
        "hello: hello",
        r#"websocket_messages_received_total{endpoint="echo",kind="ping"} 1"#,
        r#"websocket_messages_flushed_total{endpoint="echo"} 2"#,
        r#"websocket_connections_closed_total{endpoint="echo",initiator="remote",cause="reset",code="none"} 1"#,
    ] {
        assert!(printed.lines().any(|line| line == expected), "{expected}: {printed}");
    }
    Ok(())
}
