//! An outbox whose socket is in two tasks.

use std::{panic::resume_unwind, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{sync::oneshot, time::timeout};
use tokio_tungstenite030::tungstenite::Message;
use tower_vitals_ws::{Outbox, SendErrorKind};

use crate::{
    counts::World,
    library::{Library, text},
    wire::{client, closing, narrow, rest, wire, write},
};

with_each_library!(
    a_driver_sends_while_the_handler_does_something_else,
    a_driver_ends_with_its_connection,
    a_driver_that_waits_ends_when_the_receiver_goes,
    a_receiver_goes_on_without_its_driver,
    a_receiver_that_panics_is_the_cause,
    a_receiver_finishes_through_its_driver,
);

fn say<L: Library>(what: &str) -> L::Message {
    L::message(&text(what))
}

async fn a_driver_sends_while_the_handler_does_something_else<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    let (mut receiver, driver) = socket.split();
    let driving = tokio::spawn(driver);
    let mut peer = client(peer).await;
    for number in 0..100_u32 {
        sender.send(say::<L>(&number.to_string())).await.unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), Message::text(number.to_string()));
    }
    peer.send(Message::text("in")).await.unwrap();
    assert_eq!(L::said(receiver.recv().await.unwrap().unwrap()), text("in"));
    receiver.sender().send(say::<L>("out")).await.unwrap();
    assert_eq!(peer.next().await.unwrap().unwrap(), Message::text("out"));
    assert_eq!(world.counts().connections(), 1);
    drop(receiver);
    driving.await.unwrap().unwrap();
    let counts = world.counts();
    assert_eq!(
        (counts.flushed().0, counts.ends()),
        (101, vec!["local dropped none 1".to_owned()])
    );
}

async fn a_driver_ends_with_its_connection<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    let (mut receiver, driver) = socket.split();
    let driving = tokio::spawn(driver);
    tokio::task::yield_now().await;
    write(&mut peer, &closing(1000)).await;
    while receiver.recv().await.is_some() {}
    driving.await.unwrap().unwrap();
    assert!(sender.is_closed());
    assert_eq!(rest_after(receiver, peer).await, closing_reply());
    assert_eq!(world.ends().await, ["remote close_frame 1000 1"]);
}

async fn rest_after<T>(receiver: T, mut peer: tokio::net::TcpStream) -> Vec<u8> {
    drop(receiver);
    rest(&mut peer).await
}

fn closing_reply() -> Vec<u8> {
    vec![0x88, 2, 3, 0xe8]
}

async fn a_driver_that_waits_ends_when_the_receiver_goes<L: Library>() {
    let world = World::new();
    let (server, _peer) = narrow().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    let (receiver, driver) = socket.split();
    let mut driving = tokio::spawn(driver);
    sender.send(say::<L>(&"x".repeat(900_000))).await.unwrap();
    world.until(|counts| counts.buffered().0 == 1).await;
    sender.send(say::<L>("waits")).await.unwrap();
    assert!(timeout(Duration::from_millis(10), &mut driving).await.is_err());
    drop(receiver);
    driving.await.unwrap().unwrap();
    let counts = world.counts();
    assert_eq!(
        (counts.connections(), counts.dropped("connection_dropped")),
        (0, (2, 900_005))
    );
    counts.assert_adds_up();
}

async fn a_receiver_goes_on_without_its_driver<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    let (mut receiver, driver) = socket.split();
    sender.send(say::<L>("waits")).await.unwrap();
    drop(driver);
    assert_eq!(sender.send(say::<L>("late")).await.unwrap_err().kind(), SendErrorKind::Closed);
    let mut peer = client(peer).await;
    peer.send(Message::text("in")).await.unwrap();
    assert_eq!(L::said(receiver.recv().await.unwrap().unwrap()), text("in"));
    let counts = world.counts();
    assert_eq!(
        (
            counts.connections(),
            counts.dropped("connection_dropped"),
            counts.dropped("closed")
        ),
        (1, (1, 5), (1, 4))
    );
    drop(receiver);
    assert_eq!(world.ends().await, ["local dropped none 1"]);
}

async fn a_receiver_that_panics_is_the_cause<L: Library>() {
    let world = World::new();
    let (server, _peer) = wire().await;
    let (_sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    let (receiver, driver) = socket.split();
    let driving = tokio::spawn(driver);
    let (go, gone) = oneshot::channel();
    let task = tokio::spawn(async move {
        let _receiver = receiver;
        gone.await.unwrap();
        resume_unwind(Box::new("on purpose"));
    });
    tokio::task::yield_now().await;
    go.send(()).unwrap();
    assert!(task.await.unwrap_err().is_panic());
    driving.await.unwrap().unwrap();
    assert_eq!(world.ends().await, ["local panicked none 1"]);
}

async fn a_receiver_finishes_through_its_driver<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    let (mut receiver, driver) = socket.split();
    let driving = tokio::spawn(driver);
    let reading = tokio::spawn(async move {
        let mut peer = client(peer).await;
        let mut came = 0;
        while peer.next().await.is_some_and(|message| message.is_ok()) {
            came += 1;
        }
        came
    });
    sender.send(say::<L>("last")).await.unwrap();
    receiver.finish().await.unwrap();
    drop(receiver);
    driving.await.unwrap().unwrap();
    assert_eq!(reading.await.unwrap(), 2);
    assert_eq!(world.ends().await, ["local close_frame 1000 1"]);
}
