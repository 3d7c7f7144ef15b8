//! What comes after the handshake.

use super::*;

/// The largest message of the server of these tests.
const LARGEST: usize = 64 * 1024;

async fn small(upgrade: MeteredUpgrade) -> axum::response::Response {
    upgrade.max_message_size(LARGEST).on_upgrade(echo_on)
}

/// Sends this, and sees the server let go: what it sent before that.
async fn sends(addr: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut conn = open(addr).await?;
    conn.write(bytes).await?;
    // What is left unread resets the connection, and then it is over as well.
    let Ok(read) = tokio::time::timeout(LIMIT, conn.read_all(LIMIT)).await else {
        return Err("the server does not let go".into());
    };
    Ok(read.unwrap_or_default())
}

fn framed(frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect()
}

/// What is sent, and how the connection ends.
fn attacks() -> Vec<(String, Vec<u8>, &'static str)> {
    let protocol = "remote protocol_error none";
    let utf8 = "remote invalid_utf8 none";
    let large = "remote too_large none";
    let mut attacks = Vec::new();
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        attacks.push((format!("opcode {opcode}"), frame(0x80 | opcode, b"x"), protocol));
    }
    for bit in [0x40, 0x20, 0x10] {
        attacks.push((format!("reserved bit {bit:x}"), frame(TEXT | bit, b"x"), protocol));
    }
    for control in [0x08, 0x09, 0x0a] {
        attacks.push((format!("a part of control {control}"), frame(control, b""), protocol));
        attacks.push((
            format!("a large control {control}"),
            frame(0x80 | control, &[b'x'; 126]),
            protocol,
        ));
    }
    let kib = vec![b'x'; 1_024];
    let mut parts = frame(TEXT_BEGINS, &kib);
    parts.extend(frame(CONTINUES, &kib).repeat(LARGEST / 1_024));
    attacks.extend([
        ("not masked".to_owned(), b"\x81\x05hello".to_vec(), protocol),
        ("no beginning".to_owned(), frame(CONTINUES, b"x"), protocol),
        ("an end without a beginning".to_owned(), frame(ENDS, b"x"), protocol),
        (
            "a text in a text".to_owned(),
            framed(&[(TEXT_BEGINS, b"x"), (TEXT, b"x")]),
            protocol,
        ),
        ("a code of one byte".to_owned(), frame(CLOSE, b"x"), protocol),
        ("no UTF-8".to_owned(), frame(TEXT, b"\xff"), utf8),
        ("half a letter".to_owned(), frame(TEXT, b"x\xc3"), utf8),
        (
            "half a letter in parts".to_owned(),
            framed(&[(TEXT_BEGINS, b"\xc3"), (ENDS, b"x")]),
            utf8,
        ),
        ("a reason that is no UTF-8".to_owned(), frame(CLOSE, b"\x03\xe8\xff"), utf8),
        ("one byte too many".to_owned(), frame(BINARY, &vec![0; LARGEST + 1]), large),
        ("one part too many".to_owned(), parts, large),
        ("4 GB announced".to_owned(), header(BINARY, 4 << 30), large),
        ("all there can be, announced".to_owned(), header(TEXT, u64::MAX >> 1), large),
        ("more than there can be, announced".to_owned(), header(TEXT, u64::MAX), large),
    ]);
    attacks
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_connection_for_its_cause() -> Result<()> {
    for (what, bytes, ended) in attacks() {
        let vitals = Vitals::new();
        let addr = serve(&vitals, Router::new().route("/ws", any(small))).await?;
        sends(addr, &bytes).await.map_err(|error| format!("{what}: {error}"))?;
        let seen = until(LIMIT, || closed(&vitals), |seen| !seen.is_empty()).await;
        assert_eq!(
            seen.map_err(|error| format!("{what}: {error}"))?,
            owned(&[(ended, 1)]),
            "{what}"
        );
        let received = family(&vitals, "websocket_messages_received_total", &["endpoint", "kind"]);
        assert_eq!(received.values().sum::<u64>(), 0, "{what}");
        is_well(addr).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_frame_of_4_gb_ends_the_connection_while_it_trickles_in() -> Result<()> {
    let vitals = Vitals::new();
    let addr = serve(&vitals, Router::new().route("/ws", any(echo))).await?;
    let mut conn = open(addr).await?;
    conn.write(&header(BINARY, 4 << 30)).await?;
    let trickle = async {
        // Until the server is no longer there.
        while conn.write(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LIMIT, trickle).await?;
    until_eq(LIMIT, owned(&[("remote too_large none", 1)]), || closed(&vitals)).await?;
    is_well(addr).await
}

#[tokio::test]
async fn codes_and_reasons_of_strangers_make_no_labels() -> Result<()> {
    const CONNECTIONS: usize = 500;
    let vitals = Vitals::new();
    let addr = serve(&vitals, Router::new().route("/ws", any(echo))).await?;
    let mut random = Random(6);
    let mut expected = Numbers::new();
    for n in 0..CONNECTIONS {
        let code = 3_000 + u16::try_from(random.below(2_000))?;
        let mut close = code.to_be_bytes().to_vec();
        close.extend(format!("stranger {n}").bytes());
        let frame = frame(CLOSE, &close);
        let reply = sends(addr, &frame).await?;
        // The code is said again, and so is the reason.
        assert_eq!(
            reply[..4],
            [&[CLOSE, u8::try_from(close.len())?], &close[..2]].concat(),
            "{code}"
        );
        *expected.entry(format!("remote close_frame {}xxx", code / 1_000)).or_default() += 1;
    }
    assert_eq!(expected.len(), 2);
    until_eq(LIMIT, expected, || closed(&vitals)).await?;
    let text = vitals.encode_to_string(Protocol::TEXT);
    assert!(!text.contains("stranger"), "{text}");
    Ok(())
}

/// The library gives them to the application as 1002.
#[tokio::test]
async fn codes_that_may_not_be_are_one_label() -> Result<()> {
    let vitals = Vitals::new();
    let addr = serve(&vitals, Router::new().route("/ws", any(echo))).await?;
    let codes = [
        0,
        1,
        999,
        1004,
        1005,
        1006,
        1015,
        1016,
        1999,
        2000,
        2999,
        5000,
        5001,
        9999,
        u16::MAX,
    ];
    for code in codes {
        sends(addr, &frame(CLOSE, &code.to_be_bytes())).await?;
    }
    let expected = owned(&[("remote close_frame 1002", codes.len() as u64)]);
    until_eq(LIMIT, expected, || closed(&vitals)).await
}

#[tokio::test]
async fn a_message_in_a_hundred_thousand_parts_is_one() -> Result<()> {
    const PARTS: usize = 100_000;
    let vitals = Vitals::new();
    let addr = serve(&vitals, Router::new().route("/ws", any(echo))).await?;
    let mut conn = open(addr).await?;
    conn.write(&frame(TEXT_BEGINS, b"x")).await?;
    // Pings may come between parts.
    for _ in 0..10 {
        conn.write(&frame(CONTINUES, b"x").repeat(PARTS / 10 - 1)).await?;
        conn.write(&frame(CONTINUES, b"")).await?;
        conn.write(&frame(0x89, b"")).await?;
    }
    conn.write(&frame(ENDS, b"")).await?;
    let size = 1 + PARTS - 10;
    // Pongs, and the message in one frame, whose size takes eight bytes.
    let echoed = conn.read(10 * 2 + 10 + size).await?;
    assert!(echoed.ends_with(&vec![b'x'; size]));
    let received = family(&vitals, "websocket_messages_received_total", &["endpoint", "kind"]);
    let expected = owned(&[
        ("/ws text", 1),
        ("/ws ping", 10),
        ("/ws binary", 0),
        ("/ws pong", 0),
        ("/ws close", 0),
    ]);
    assert_eq!(received, expected);
    let bytes = family(&vitals, "websocket_bytes_received_total", &["endpoint", "kind"]);
    assert_eq!(bytes["/ws text"], size as u64);
    Ok(())
}
