//! Messages that come, are answered, and are counted both ways.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite030::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tower_vitals_ws::MeteredWebSocket;

use crate::{
    counts::World,
    library::{Library, Said},
    wire::{client, wire},
};

with_each_library!(
    each_message_is_counted_by_kind_and_bytes,
    what_is_open_is_counted_until_it_is_dropped
);

/// Answers texts and bytes until nothing comes any more.
pub(crate) async fn echo<L: Library>(mut socket: MeteredWebSocket<L::Socket<TcpStream>>) {
    while let Some(Ok(message)) = socket.recv().await {
        let said = L::said(message);
        if matches!(said, Said::Text(_) | Said::Binary(_)) {
            socket.send(L::message(&said)).await.unwrap();
        }
    }
}

async fn each_message_is_counted_by_kind_and_bytes<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let server = tokio::spawn(echo::<L>(world.endpoint.meter(L::serve(server).await)));
    let mut peer = client(peer).await;
    for message in [Message::text("hello"), Message::text(""), Message::binary(vec![0; 70_000])] {
        peer.send(message.clone()).await.unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), message);
    }
    let ping = |data: &'static [u8]| Message::Ping(data.into());
    peer.send(ping(b"four")).await.unwrap();
    assert_eq!(peer.next().await.unwrap().unwrap(), Message::Pong("four".into()));
    peer.send(Message::Pong("by itself".into())).await.unwrap();
    let close = CloseFrame {
        code: CloseCode::Away,
        reason: "bye".into(),
    };
    peer.close(Some(close.clone())).await.unwrap();
    let answer = peer.next().await.unwrap().unwrap();
    assert!(matches!(answer, Message::Close(Some(ref frame)) if frame.code == close.code));
    server.await.unwrap();

    let counts = world.counts();
    let received = ["text", "binary", "ping", "pong", "close"].map(|kind| counts.received(kind));
    assert_eq!(received, [(2, 5), (1, 70_000), (1, 4), (1, 9), (1, 5)]);
    assert_eq!(
        (counts.attempted(), counts.flushed()),
        ((3, 70_005), (3, 70_005)),
        "{counts:#?}"
    );
    assert_eq!((counts.all_dropped(), counts.buffered()), ((0, 0), (0, 0)));
    assert_eq!((counts.sizes("received"), counts.sizes("sent")), ((6, 70_023), (3, 70_005)));
    for (direction, bound, messages) in [
        ("received", "64.0", 5),
        ("received", "65536.0", 5),
        ("sent", "262144.0", 3),
        ("sent", "+Inf", 3),
    ] {
        let series = format!(r#"message_size_bytes_bucket{{direction="{direction}",le="{bound}"}}"#);
        assert_eq!(counts.of_series(&series), messages, "{series}");
    }
    assert_eq!(counts.ends(), ["remote close_frame 1001 1"]);
    counts.assert_adds_up();
}

async fn what_is_open_is_counted_until_it_is_dropped<L: Library>() {
    let world = World::new();
    let (one, peer) = wire().await;
    let (two, _other) = wire().await;
    assert_eq!(world.counts().connections(), 0);
    let one = tokio::spawn(echo::<L>(world.endpoint.meter(L::serve(one).await)));
    let two = world.endpoint.meter_version(L::serve(two).await, http::Version::HTTP_2);
    let counts = world.counts();
    assert_eq!(counts.connections(), 1);
    assert_eq!(counts.of_series(r#"connections{http_version="2"}"#), 1);
    assert_eq!(
        (counts.of_series("connection_duration_seconds_count"), counts.ends().len()),
        (0, 0)
    );
    client(peer).await.close(None).await.unwrap();
    one.await.unwrap();
    let counts = world.counts();
    assert_eq!(
        (counts.connections(), counts.of_series("connection_duration_seconds_count")),
        (0, 1)
    );
    drop(two);
    let counts = world.counts();
    assert_eq!(
        (counts.connections(), counts.of_series("connection_duration_seconds_count")),
        (0, 2)
    );
    assert_eq!(counts.ends(), ["local dropped none 1", "remote close_frame none 1"]);
}
