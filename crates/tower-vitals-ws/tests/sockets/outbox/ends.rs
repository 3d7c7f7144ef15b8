//! How connections with an outbox end, and what senders see of it.

use std::panic::resume_unwind;

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncReadExt;
use tokio_tungstenite030::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode as Code},
};
use tower_vitals_ws::{CloseCode, Outbox, SendErrorKind};

use super::stuck::{BIG, Stuck, stuck};
use crate::{
    counts::World,
    library::{Library, close, text},
    wire::{client, closing, reset, rest, wire, write},
};

with_each_library!(
    what_waits_leaves_before_the_connection_is_finished,
    a_closing_message_is_the_last_one,
    what_waits_when_the_other_side_closes_is_dropped,
    what_waits_when_the_connection_breaks_is_lost,
    what_waits_when_the_handler_panics_is_dropped,
    what_waits_when_an_operator_closes_it_is_dropped,
    halves_are_closed_by_an_operator,
    senders_outlive_the_connection,
    finishing_twice_is_finishing_once,
);

fn say<L: Library>(what: &str) -> L::Message {
    L::message(&text(what))
}

async fn what_waits_leaves_before_the_connection_is_finished<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let (sender, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    for what in ["1", "22"] {
        sender.send(say::<L>(what)).await.unwrap();
    }
    assert_eq!(
        (world.counts().queued(), world.counts().buffered()),
        ((2, 3), (0, 0)),
        "nobody polls it"
    );
    let reading = tokio::spawn(async move {
        let mut peer = client(peer).await;
        let mut came = Vec::new();
        while let Some(Ok(message)) = peer.next().await {
            came.push(message);
        }
        came
    });
    socket.finish().await.unwrap();
    drop(socket);
    let came = reading.await.unwrap();
    assert_eq!(came[..2], [Message::text("1"), Message::text("22")]);
    assert!(
        matches!(&came[2], Message::Close(Some(frame)) if frame.code == Code::Normal),
        "{came:?}"
    );
    let counts = world.counts();
    assert_eq!((counts.flushed(), counts.all_dropped()), ((3, 5), (0, 0)));
    assert_eq!(counts.ends(), ["local close_frame 1000 1"]);
    counts.assert_adds_up();
}

async fn finishing_twice_is_finishing_once<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let (sender, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    let reading = tokio::spawn(async move {
        let mut peer = client(peer).await;
        while peer.next().await.is_some_and(|message| message.is_ok()) {}
    });
    assert!(sender.close(CloseCode::GOING_AWAY, "bye"));
    socket.finish().await.unwrap();
    socket.finish().await.unwrap();
    drop(socket);
    reading.await.unwrap();
    let counts = world.counts();
    assert_eq!((counts.flushed(), counts.dropped("closing")), ((1, 5), (2, 4)));
    assert_eq!(counts.ends(), ["local close_frame 1001 1"]);
}

async fn a_closing_message_is_the_last_one<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    sender.send(say::<L>("first")).await.unwrap();
    sender.send(L::message(&close(1000))).await.unwrap();
    assert_eq!(sender.send(say::<L>("late")).await.unwrap_err().kind(), SendErrorKind::Closed);
    let driving = tokio::spawn(socket.drive());
    let mut came = [0; 11];
    peer.read_exact(&mut came).await.unwrap();
    assert_eq!(&came, b"\x81\x05first\x88\x02\x03\xe8");
    write(&mut peer, &closing(1000)).await;
    assert_eq!(rest(&mut peer).await, b"");
    driving.await.unwrap().unwrap();
    let counts = world.counts();
    assert_eq!((counts.flushed(), counts.dropped("closed")), ((2, 7), (1, 4)));
    counts.assert_adds_up();
}

async fn what_waits_when_the_other_side_closes_is_dropped<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let (sender, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    let mut peer = client(peer).await;
    let away = CloseFrame {
        code: Code::Away,
        reason: "".into(),
    };
    peer.send(Message::Close(Some(away))).await.unwrap();
    sender.send(say::<L>("waits")).await.unwrap();
    let message = socket.recv().await.unwrap().unwrap();
    assert_eq!(L::said(message), close(1001));
    assert!(sender.is_closed());
    let counts = world.counts();
    assert_eq!((counts.dropped("closed"), counts.queued()), ((1, 5), (0, 0)));
    while socket.recv().await.is_some() {}
    drop(socket);
    assert!(matches!(peer.next().await, Some(Ok(Message::Close(_)))), "the reply");
    assert_eq!(world.ends().await, ["remote close_frame 1001 1"]);
}

async fn what_waits_when_the_connection_breaks_is_lost<L: Library>() {
    let world = World::new();
    let Stuck {
        sender,
        task: _task,
        peer,
    } = stuck::<L>(&world, Outbox::new()).await;
    sender.send(say::<L>("waits")).await.unwrap();
    reset(peer);
    sender.closed().await;
    let counts = world.until(|counts| counts.connections() == 0).await;
    assert_eq!((counts.queued(), counts.buffered()), ((0, 0), (0, 0)));
    let [broken, dropped] = ["io_error", "connection_dropped"].map(|reason| counts.dropped(reason));
    assert_eq!((broken.0 + dropped.0, broken.1 + dropped.1), (2, BIG + 5), "{counts:#?}");
    assert_eq!(counts.ends(), ["remote reset none 1"]);
    counts.assert_adds_up();
}

async fn what_waits_when_the_handler_panics_is_dropped<L: Library>() {
    let world = World::new();
    let (server, _peer) = wire().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    let outside = sender.clone();
    let task = tokio::spawn(async move {
        let _socket = socket;
        sender.send(say::<L>("waits")).await.unwrap();
        resume_unwind(Box::new("on purpose"));
    });
    assert!(task.await.unwrap_err().is_panic());
    outside.closed().await;
    let counts = world.counts();
    assert_eq!(
        (counts.dropped("connection_dropped"), counts.ends()),
        ((1, 5), vec!["local panicked none 1".to_owned()])
    );
    counts.assert_adds_up();
}

async fn what_waits_when_an_operator_closes_it_is_dropped<L: Library>() {
    let world = World::new();
    let Stuck {
        sender,
        task: _task,
        peer,
    } = stuck::<L>(&world, Outbox::new()).await;
    sender.send(say::<L>("waits")).await.unwrap();
    assert!(world.sockets().kick(world.only().id, CloseCode::new(4_001).unwrap()));
    // What was handed over leaves, and then the closing message.
    let (came, mut client) = Stuck::<L>::read(peer, 1).await.unwrap();
    assert!(came[0].contains("4001"), "{came:?}");
    let _ = client.flush().await;
    sender.closed().await;
    let counts = world.until(|counts| counts.connections() == 0).await;
    assert_eq!((counts.flushed(), counts.dropped("closed")), ((2, BIG + 2), (1, 5)));
    assert_eq!(counts.ends(), ["local kicked 4xxx 1"]);
    counts.assert_adds_up();
}

async fn halves_are_closed_by_an_operator<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    let (mut receiver, driver) = socket.split();
    let driver = tokio::spawn(driver);
    let receiving = tokio::spawn(async move { while receiver.recv().await.is_some() {} });
    let mut peer = client(peer).await;
    sender.send(say::<L>("hello")).await.unwrap();
    assert_eq!(peer.next().await.unwrap().unwrap(), Message::text("hello"));
    // Both wait, and nothing else wakes them.
    assert!(world.sockets().kick(world.only().id, CloseCode::new(4_001).unwrap()));
    assert!(matches!(peer.next().await, Some(Ok(Message::Close(Some(frame)))) if frame.code == Code::Library(4_001)));
    let _ = peer.flush().await;
    receiving.await.unwrap();
    assert!(driver.await.unwrap().is_ok());
    sender.closed().await;
    let counts = world.counts();
    assert_eq!(
        (counts.flushed(), counts.ends()),
        ((2, 7), vec!["local kicked 4xxx 1".to_owned()])
    );
    counts.assert_adds_up();
}

async fn senders_outlive_the_connection<L: Library>() {
    let world = World::new();
    let (server, _peer) = wire().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    drop(socket);
    assert_eq!(world.counts().connections(), 0);
    for _ in 0..3 {
        assert_eq!(sender.send(say::<L>("late")).await.unwrap_err().kind(), SendErrorKind::Closed);
    }
    assert!(!sender.close(CloseCode::NORMAL, ""));
    let counts = world.counts();
    assert_eq!((counts.attempted(), counts.dropped("closed")), ((4, 14), (3, 12)));
    assert_eq!((counts.dropped("closing"), counts.queued()), ((1, 2), (0, 0)));
    counts.assert_adds_up();
    sender.closed().await;
}
