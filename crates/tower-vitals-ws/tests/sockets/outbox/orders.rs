//! Connections with an outbox that this side closes by itself.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::timeout;
use tokio_tungstenite030::tungstenite::Message;
use tower_vitals_ws::{CloseCode, Outbox, Overflow, SendError, SendErrorKind};

use super::stuck::{Stuck, big, stuck};
use crate::{
    counts::World,
    library::{Library, text},
    wire::{client, closing, narrow, next_frame, reset, rest, wire, write},
};

with_each_library!(
    who_waits_for_room_is_let_go_as_soon_as_the_connection_is_being_closed,
    a_driver_that_waits_for_messages_closes_the_connection,
    a_driver_tells_the_slow_one_before_it_is_ready,
    a_receiver_finishes_without_its_driver,
    a_handler_that_sends_hears_that_it_is_closed_when_the_other_side_has_been_told,
    a_handler_that_only_sends_tells_the_slow_one,
    a_driver_ends_when_the_receiver_heard_that_the_connection_broke,
    what_was_fed_before_there_was_an_outbox_leaves,
    a_connection_that_is_kicked_while_it_finishes_is_closed_once,
    settings_that_make_no_sense_break_nothing,
);

fn say<L: Library>(what: &str) -> L::Message {
    L::message(&text(what))
}

const SOON: Duration = Duration::from_secs(2);

async fn who_waits_for_room_is_let_go_as_soon_as_the_connection_is_being_closed<L: Library>() {
    let world = World::new();
    let Stuck { sender, task, peer } = stuck::<L>(&world, Outbox::new().max_messages(1)).await;
    sender.send(say::<L>("waits")).await.unwrap();
    let waiting = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send(say::<L>("blocked")).await }
    });
    world.until(|counts| counts.queued().0 == 2).await;
    assert!(world.sockets().kick(world.only().id, CloseCode::POLICY));
    let refused = timeout(SOON, waiting).await.unwrap().unwrap().unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Closed);
    assert!(sender.is_closed());
    let counts = world.counts();
    assert_eq!(
        (counts.connections(), counts.queued(), counts.dropped("closed")),
        (1, (0, 0), (2, 12)),
        "the other side has not taken the closing message yet"
    );
    task.abort();
    drop(peer);
    let counts = world.until(|counts| counts.connections() == 0).await;
    assert_eq!(counts.ends(), ["local kicked none 1"]);
    counts.assert_adds_up();
}

async fn a_driver_that_waits_for_messages_closes_the_connection<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    // The handler does something else for long.
    let (receiver, driver) = socket.split();
    let driving = tokio::spawn(driver);
    sender.send(say::<L>("hello")).await.unwrap();
    assert_eq!(next_frame(&mut peer).await, (0x81, b"hello".to_vec()));
    assert!(world.sockets().kick(world.only().id, CloseCode::POLICY));
    let closing = timeout(SOON, next_frame(&mut peer)).await.unwrap();
    assert_eq!(closing, (0x88, 1_008_u16.to_be_bytes().to_vec()));
    driving.await.unwrap().unwrap();
    assert!(sender.is_closed());
    drop(receiver);
    assert_eq!(world.ends().await, ["local kicked 1008 1"]);
}

async fn a_driver_tells_the_slow_one_before_it_is_ready<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let (code, grace) = (CloseCode::TRY_AGAIN_LATER, Duration::ZERO);
    let settings = Outbox::new()
        .max_messages(1)
        .overflow(Overflow::DisconnectSlow { code, grace });
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(settings);
    let (receiver, driver) = socket.split();
    sender.send(say::<L>("1")).await.unwrap();
    assert_eq!(sender.send(say::<L>("2")).await.unwrap_err().kind(), SendErrorKind::Full);
    driver.await.unwrap();
    drop(receiver);
    let mut expected = vec![0x88, 10];
    expected.extend(1_013_u16.to_be_bytes());
    expected.extend(b"too slow");
    assert_eq!(rest(&mut peer).await, expected);
    assert_eq!(world.ends().await, ["local slow_consumer 1013 1"]);
}

async fn a_receiver_finishes_without_its_driver<L: Library>() {
    for is_waiting in [false, true] {
        let world = World::new();
        let (server, mut peer) = wire().await;
        let (_sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
        let (mut receiver, driver) = socket.split();
        let mut driver = Some(driver);
        if !is_waiting {
            driver = None;
        }
        let finishing = tokio::spawn(async move { receiver.finish().await });
        tokio::task::yield_now().await;
        drop(driver);
        let (kind, _) = timeout(SOON, next_frame(&mut peer)).await.unwrap();
        assert_eq!(kind, 0x88);
        write(&mut peer, &closing(1000)).await;
        finishing.await.unwrap().unwrap();
        let ends = world.ends().await;
        assert!(ends[0].starts_with("local close_frame"), "{ends:?}");
    }
}

async fn a_handler_that_sends_hears_that_it_is_closed_when_the_other_side_has_been_told<L: Library>() {
    let world = World::new();
    let (server, peer) = narrow().await;
    let settings = Outbox::new().max_messages(1);
    let (_sender, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(settings);
    let sending = tokio::spawn(async move {
        for _ in 0..3 {
            socket.send(big::<L>()).await?;
        }
        Ok(())
    });
    world.until(|counts| counts.queued().0 == 2).await;
    assert!(world.sockets().kick(world.only().id, CloseCode::POLICY));
    tokio::task::yield_now().await;
    // It has been slow, and is not any more.
    let mut peer = client(peer).await;
    assert!(peer.next().await.unwrap().unwrap().is_binary());
    let closing = timeout(SOON, peer.next()).await.unwrap();
    assert!(
        matches!(&closing, Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == 1_008),
        "{closing:?}"
    );
    let refused: SendError<L::Message> = sending.await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Closed);
    let counts = world.until(|counts| counts.connections() == 0).await;
    assert_eq!(counts.ends(), ["local kicked 1008 1"]);
    assert_eq!(counts.dropped("closed").0, 2);
    counts.assert_adds_up();
}

async fn a_handler_that_only_sends_tells_the_slow_one<L: Library>() {
    let world = World::new();
    let (server, mut peer) = narrow().await;
    let (code, grace) = (CloseCode::TRY_AGAIN_LATER, Duration::ZERO);
    let settings = Outbox::new()
        .max_messages(1)
        .overflow(Overflow::DisconnectSlow { code, grace });
    let (_sender, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(settings);
    socket.send(say::<L>("1")).await.unwrap();
    assert_eq!(socket.send(say::<L>("2")).await.unwrap_err().kind(), SendErrorKind::Full);
    assert_eq!(socket.send(say::<L>("3")).await.unwrap_err().kind(), SendErrorKind::Closed);
    drop(socket);
    let closing = next_frame(&mut peer).await;
    assert_eq!((closing.0, &closing.1[..2]), (0x88, &1_013_u16.to_be_bytes()[..]));
    assert_eq!(world.ends().await, ["local slow_consumer 1013 1"]);
}

async fn a_driver_ends_when_the_receiver_heard_that_the_connection_broke<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    let (mut receiver, driver) = socket.split();
    let driving = tokio::spawn(driver);
    tokio::task::yield_now().await;
    reset(peer);
    while receiver.recv().await.is_some_and(|received| received.is_ok()) {}
    timeout(SOON, driving).await.unwrap().unwrap().unwrap();
    assert!(sender.is_closed());
    drop(receiver);
    assert_eq!(world.ends().await, ["remote reset none 1"]);
}

async fn what_was_fed_before_there_was_an_outbox_leaves<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    socket.feed(say::<L>("fed")).await.unwrap();
    let (_sender, socket) = socket.outbox(Outbox::new());
    let _driving = tokio::spawn(socket.drive());
    assert_eq!(timeout(SOON, next_frame(&mut peer)).await.unwrap(), (0x81, b"fed".to_vec()));
    assert_eq!(world.until(|counts| counts.buffered().0 == 0).await.flushed(), (1, 3));
}

async fn a_connection_that_is_kicked_while_it_finishes_is_closed_once<L: Library>() {
    let world = World::new();
    let (server, peer) = narrow().await;
    let (sender, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    sender.send(big::<L>()).await.unwrap();
    sender.send(say::<L>("waits")).await.unwrap();
    let finishing = tokio::spawn(async move {
        let finished = socket.finish().await;
        socket.finish().await.and(finished)
    });
    world.until(|counts| counts.buffered().0 == 1 && counts.queued().0 == 2).await;
    assert!(world.sockets().kick(world.only().id, CloseCode::POLICY));
    sender.closed().await;
    let mut peer = client(peer).await;
    let mut came = Vec::new();
    while let Some(Ok(message)) = peer.next().await {
        came.push(message);
    }
    assert!(
        matches!(&came[..], [Message::Binary(_), Message::Close(Some(frame))] if u16::from(frame.code) == 1_008),
        "{came:?}"
    );
    finishing.await.unwrap().unwrap();
    let counts = world.until(|counts| counts.connections() == 0).await;
    assert_eq!(counts.ends(), ["local kicked 1008 1"]);
    assert_eq!((counts.dropped("closed"), counts.dropped("closing")), ((1, 5), (2, 4)));
    counts.assert_adds_up();
}

async fn settings_that_make_no_sense_break_nothing<L: Library>() {
    let long = Duration::MAX - Duration::from_nanos(1);
    let code = CloseCode::TRY_AGAIN_LATER;
    for overflow in [
        Overflow::Block { timeout: long },
        Overflow::Block { timeout: Duration::ZERO },
        Overflow::DisconnectSlow {
            code,
            grace: Duration::MAX,
        },
        Overflow::DropOldest,
    ] {
        let world = World::new();
        let settings = Outbox::new().max_messages(0).expires_in(long).overflow(overflow);
        let Stuck {
            sender,
            task,
            peer: _peer,
        } = stuck::<L>(&world, settings).await;
        let waiting = tokio::spawn(async move {
            for what in ["1", "2"] {
                let _ = timeout(Duration::from_millis(20), sender.send(say::<L>(what))).await;
            }
            sender
        });
        let sender = waiting.await.unwrap();
        assert_eq!(sender.len(), 1, "{overflow:?}");
        world.counts().assert_adds_up();
        task.abort();
        world.ends().await;

        let (server, mut peer) = wire().await;
        let settings = Outbox::new().max_bytes(0).overflow(overflow);
        let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(settings);
        assert_eq!(sender.send(say::<L>("x")).await.unwrap_err().kind(), SendErrorKind::TooLarge);
        sender.send(say::<L>("")).await.unwrap();
        let _driving = tokio::spawn(socket.drive());
        assert_eq!(next_frame(&mut peer).await, (0x81, Vec::new()));
    }
}
