//! Handshakes of strangers.

use std::collections::BTreeSet;

use super::*;

/// All that may become of a handshake.
const OUTCOMES: [&str; 13] = [
    "established",
    "denied",
    "abandoned",
    "cancelled",
    "unmetered",
    "panicked",
    "upgrade_failed",
    "method",
    "invalid_connection",
    "invalid_upgrade",
    "invalid_version",
    "missing_key",
    "not_upgradable",
];

/// Those that this server has no way to, or not each time.
const NEVER: [&str; 4] = ["cancelled", "unmetered", "panicked", "upgrade_failed"];

const ENDPOINTS: [&str; 5] = ["/ws", "/rooms/{room}", "/files/{*path}", "/plain", "_unmatched"];

fn routes() -> Router {
    Router::new()
        .route("/ws", any(echo))
        .route("/rooms/{room}", any(echo))
        .route("/files/{*path}", any(echo))
        .route("/plain", any(async || "hello"))
}

fn handshakes(vitals: &Vitals) -> Numbers {
    family(vitals, "websocket_handshakes_total", &["endpoint", "outcome"])
}

/// What is asked for.
fn first_line(stranger: &str, huge: &str, random: &mut Random) -> String {
    let targets = [
        "/plain",
        "*",
        "//ws",
        huge,
        &format!("/rooms/{stranger}"),
        &format!("/files/{stranger}/%ff/..%2f"),
        &format!("/{stranger}?{stranger}"),
        &format!("http://{stranger}.example/ws"),
    ];
    let methods = ["POST", "CONNECT", &format!("M{stranger}")];
    let method = random.mostly("GET", &methods);
    let target = if random.below(2) == 0 { "/ws" } else { random.of(&targets) };
    let version = random.mostly("1.1", &["1.0", "0.9", "3.0"]);
    format!("{method} {target} HTTP/{version}\r\n")
}

/// A handshake that is wrong in some ways, or in none.
fn hostile(n: usize, random: &mut Random) -> Vec<u8> {
    let stranger = format!("stranger{n}");
    let huge = stranger.repeat(1 + random.below(20_000));
    let mut bytes = first_line(&stranger, &huge, random).into_bytes();
    let wrong: [&[u8]; 7] = [
        stranger.as_bytes(),
        huge.as_bytes(),
        b"",
        b"\xff\xfe stranger",
        b"\xe9",
        b"14, 13, websocket, upgrade",
        b"\0stranger",
    ];
    for (name, value) in [
        ("host", "x"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        let name = random.mostly(name, &["x-stranger", "x-stranger", "stran ger", ""]);
        let value = random.mostly(value.as_bytes(), &wrong);
        let line = [name.as_bytes(), b": ", value, b"\r\n"].concat();
        // Some come twice.
        bytes.extend_from_slice(&line.repeat(random.mostly(&[1], &[&[2]])[0]));
    }
    for extra in 0..random.mostly(&[0], &[&[90], &[150]])[0] {
        bytes.extend(format!("x-stranger-{extra}: {n}\r\n").bytes());
    }
    bytes.extend_from_slice(random.mostly(b"\r\n", &[b"\n", b""]));
    bytes
}

/// Sends it, waits for any answer, and goes away. What is whole and not huge has one.
async fn ask(addr: SocketAddr, bytes: Vec<u8>) -> Result<()> {
    let mut conn = RawConn::connect(addr).await?;
    let is_whole = bytes.ends_with(b"\n\r\n") || bytes.ends_with(b"\n\n");
    let written = conn.write(&bytes).await;
    if is_whole {
        let answer = conn.read_until(b"\r\n\r\n").await;
        let is_answered = answer.as_ref().is_ok_and(|head| head.starts_with(b"HTTP/1."));
        let asked = String::from_utf8_lossy(&bytes);
        assert!(is_answered || bytes.len() > 4_096, "{asked}: {written:?}, {answer:?}");
    }
    // A server that is done with a huge one resets the connection.
    let _ = conn.finish_writing().await;
    let _ = conn.read_all(LIMIT).await;
    Ok(())
}

/// What is in the place of a part of a handshake, with which status it is answered, and what is counted, if it is taken for one.
fn oddities() -> Vec<(&'static str, Vec<u8>, &'static str, Option<&'static str>)> {
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let rest = "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let bytes = |bytes: &[u8]| bytes.to_vec();
    let refused = |outcome| ("400", Some(outcome));
    let (bad_upgrade, bad_version) = (refused("invalid_upgrade"), refused("invalid_version"));
    let established = ("101", Some("established"));
    let table = [
        (rest, bytes(b"upgrade: \xff, stranger\r\n"), ("400", None)),
        (rest, bytes(b"upgrade: \xff, websocket\r\n"), bad_upgrade),
        (
            rest,
            bytes(b"upgrade: h2c\r\nupgrade: \xe9\r\nupgrade: WebSocket\r\n"),
            bad_upgrade,
        ),
        ("upgrade: websocket", bytes(b"upgrade: \xff"), bad_upgrade),
        ("upgrade: websocket", bytes(b"upgrade: h2c"), bad_upgrade),
        (
            "connection: upgrade",
            bytes(b"connection: \xff"),
            refused("invalid_connection"),
        ),
        ("version: 13", bytes(b"version: \xff"), bad_version),
        ("version: 13", bytes(b"version: 13, 13"), bad_version),
        ("version: 13", bytes(b"version: 8\r\nsec-websocket-version: 13"), bad_version),
        (key, key.repeat(2).into_bytes(), established),
        (key, bytes(b"sec-websocket-key: \xff\xfe\r\n"), established),
        (key, bytes(b"sec-websocket-key:\r\n"), established),
        (
            key,
            format!("sec-websocket-key: {}\r\n", "x".repeat(60_000)).into_bytes(),
            established,
        ),
    ];
    let row = |(from, to, (status, outcome))| (from, to, status, outcome);
    table.into_iter().map(row).collect()
}

#[tokio::test]
async fn odd_handshakes_are_counted_by_what_comes_of_them() -> Result<()> {
    for (from, to, status, outcome) in oddities() {
        let vitals = Vitals::new();
        let addr = serve(&vitals, routes()).await?;
        let (before, after) = HANDSHAKE.split_once(from).ok_or(from)?;
        let mut conn = RawConn::connect(addr).await?;
        conn.write(&[before.as_bytes(), &to, after.as_bytes()].concat()).await?;
        let shown = String::from_utf8_lossy(&to[..to.len().min(80)]).into_owned();
        let head = conn
            .read_until(b"\r\n\r\n")
            .await
            .map_err(|error| format!("{shown}: {error}"))?;
        assert!(
            head.starts_with(format!("HTTP/1.1 {status} ").as_bytes()),
            "{shown}: {head:?}"
        );
        let expected: Numbers = outcome.iter().map(|outcome| (format!("/ws {outcome}"), 1)).collect();
        let counted = until_eq(LIMIT, expected, || handshakes(&vitals)).await;
        counted.map_err(|error| format!("{shown}: {error}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_handshakes_make_no_labels_and_break_nothing() -> Result<()> {
    const ROUNDS: usize = 50;
    const AT_ONCE: usize = 20;
    let vitals = Vitals::new();
    let addr = serve(&vitals, routes()).await?;
    let mut random = Random(5);
    for round in 0..ROUNDS {
        let asked = (0..AT_ONCE).map(|n| hostile(round * AT_ONCE + n, &mut random));
        let asked: Vec<_> = asked.map(|bytes| tokio::spawn(ask(addr, bytes))).collect();
        for asked in asked {
            asked.await??;
        }
    }
    is_well(addr).await?;
    let seen = handshakes(&vitals);
    let of = |place: usize| -> BTreeSet<_> { seen.keys().filter_map(|labels| labels.split(' ').nth(place)).collect() };
    let (endpoints, outcomes) = (of(0), of(1));
    assert!(endpoints.is_subset(&BTreeSet::from(ENDPOINTS)), "{endpoints:?}");
    assert!(outcomes.is_subset(&BTreeSet::from(OUTCOMES)), "{outcomes:?}");
    // They came as far as this.
    for outcome in OUTCOMES.iter().filter(|outcome| !NEVER.contains(outcome)) {
        assert!(outcomes.contains(outcome), "{outcome}: {seen:?}");
    }
    assert!(seen.values().sum::<u64>() > (ROUNDS * AT_ONCE / 4) as u64, "{seen:?}");
    let text = vitals.encode_to_string(Protocol::TEXT);
    assert!(!text.to_lowercase().contains("stranger"), "{text}");
    let open = || family(&vitals, "websocket_connections", &["endpoint", "http_version"]);
    until_eq(LIMIT, 0, || open().values().sum::<u64>()).await?;
    Ok(())
}

#[tokio::test]
async fn paths_by_the_thousand_make_no_endpoints() -> Result<()> {
    const PATHS: usize = 3_000;
    let vitals = Vitals::new();
    let addr = serve(&vitals, routes()).await?;
    let mut conn = RawConn::connect(addr).await?;
    for n in 0..PATHS {
        let request = HANDSHAKE.replacen("/ws", &format!("/stranger/{n}"), 1);
        conn.write(request.as_bytes()).await?;
        let head = conn.read_until(b"\r\n\r\n").await?;
        assert!(head.starts_with(b"HTTP/1.1 404 "), "{head:?}");
    }
    // Not versions that we know: the connection stays one of HTTP.
    for n in 0..PATHS {
        let request = HANDSHAKE.replacen("/ws", &format!("/files/stranger/{n}"), 1);
        conn.write(request.replacen("version: 13", &format!("version: {}", 14 + n), 1).as_bytes())
            .await?;
        let head = String::from_utf8(conn.read_until(b"\r\n\r\n").await?)?;
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        conn.read(length.ok_or("it has a length")?.parse()?).await?;
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    }
    let expected = [
        ("/files/{*path} invalid_version", PATHS as u64),
        ("_unmatched denied", PATHS as u64),
    ];
    assert_eq!(handshakes(&vitals), owned(&expected));
    let text = vitals.encode_to_string(Protocol::TEXT);
    assert!(!text.contains("stranger"), "{text}");
    Ok(())
}
