//! A socket in two halves.

use std::panic::resume_unwind;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite030::tungstenite::Message;

use crate::{
    counts::World,
    library::{Library, Said, close, text},
    wire::{client, closing, wire, write},
};

with_each_library!(
    halves_are_one_connection,
    halves_of_two_sockets_are_not_reunited,
    halves_are_reunited,
    both_halves_work_in_two_tasks,
    a_half_that_panics_leaves_the_other,
    what_a_half_says_is_what_the_socket_says,
);

async fn halves_are_one_connection<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let (mut sender, mut receiver) = world.endpoint.meter(L::serve(server).await).split();
    assert_eq!(world.counts().connections(), 1);
    sender.send(L::message(&text("out"))).await.unwrap();
    sender.feed(L::message(&text("waits"))).await.unwrap();
    drop(sender);
    let counts = world.counts();
    assert_eq!((counts.connections(), counts.buffered(), counts.ends().len()), (1, (1, 5), 0));
    write(&mut peer, &closing(1000)).await;
    while receiver.recv().await.is_some() {}
    drop(receiver);
    let counts = world.counts();
    assert_eq!(
        (counts.connections(), counts.of_series("connection_duration_seconds_count")),
        (0, 1)
    );
    assert_eq!(counts.ends(), ["remote close_frame 1000 1"]);
    assert_eq!(
        (counts.attempted(), counts.flushed(), counts.received("close")),
        ((2, 8), (1, 3), (1, 2))
    );
    counts.assert_adds_up();
}

async fn halves_of_two_sockets_are_not_reunited<L: Library>() {
    let world = World::new();
    let ((one, _one_peer), (two, _two_peer)) = (wire().await, wire().await);
    let (one_sender, one_receiver) = world.endpoint.meter(L::serve(one).await).split();
    let (two_sender, two_receiver) = world.endpoint.meter(L::serve(two).await).split();
    let error = one_sender.reunite(two_receiver).unwrap_err();
    assert_eq!(error.to_string(), "the halves are of two sockets");
    let other = one_receiver.reunite(two_sender).unwrap_err();
    assert_eq!(world.counts().connections(), 2, "both pairs are given back");
    let one = error.sender.reunite(other.receiver).unwrap();
    let two = other.sender.reunite(error.receiver).unwrap();
    drop(one);
    assert_eq!(world.counts().connections(), 1);
    drop(two);
    assert_eq!(world.counts().ends(), ["local dropped none 2"]);
}

async fn halves_are_reunited<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let (mut sender, receiver) = world.endpoint.meter(L::serve(server).await).split();
    sender.feed(L::message(&text("waits"))).await.unwrap();
    let mut socket = receiver.reunite(sender).unwrap();
    assert_eq!((world.counts().connections(), world.counts().buffered()), (1, (1, 5)));
    socket.flush().await.unwrap();
    write(&mut peer, &closing(3000)).await;
    while socket.recv().await.is_some() {}
    drop(socket);
    let counts = world.counts();
    assert_eq!(
        (counts.flushed(), counts.ends()),
        ((1, 5), vec!["remote close_frame 3xxx 1".to_owned()])
    );
}

async fn both_halves_work_in_two_tasks<L: Library>() {
    const MESSAGES: u64 = 2_000;
    let world = World::new();
    let (server, peer) = wire().await;
    let (mut sender, mut receiver) = world.endpoint.meter(L::serve(server).await).split();
    let out = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            sender.send(L::message(&text("out"))).await.unwrap();
        }
        sender
    });
    let into = tokio::spawn(async move {
        let mut came = 0;
        while came < MESSAGES {
            came += u64::from(matches!(L::said(receiver.recv().await.unwrap().unwrap()), Said::Text(_)));
        }
        receiver
    });
    let (mut write, mut read) = client(peer).await.split();
    let writing = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            write.send(Message::text("in")).await.unwrap();
        }
        write
    });
    for _ in 0..MESSAGES {
        assert_eq!(read.next().await.unwrap().unwrap(), Message::text("out"));
    }
    let _write = writing.await.unwrap();
    let counts = world.counts();
    let (sender, receiver) = (out.await.unwrap(), into.await.unwrap());
    assert_eq!(counts.attempted(), (MESSAGES, 3 * MESSAGES));
    drop(sender.reunite(receiver).unwrap());
    let counts = world.counts();
    assert_eq!(
        (counts.flushed(), counts.received("text")),
        ((MESSAGES, 3 * MESSAGES), (MESSAGES, 2 * MESSAGES))
    );
    assert_eq!(counts.ends(), ["local dropped none 1"]);
}

async fn a_half_that_panics_leaves_the_other<L: Library>() {
    for is_closed in [false, true] {
        let world = World::new();
        let (server, mut peer) = wire().await;
        let (mut sender, mut receiver) = world.endpoint.meter(L::serve(server).await).split();
        let task = tokio::spawn(async move {
            sender.feed(L::message(&text("waits"))).await.unwrap();
            resume_unwind(Box::new("on purpose"));
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!((world.counts().connections(), world.counts().buffered()), (1, (1, 5)));
        if is_closed {
            write(&mut peer, &closing(1000)).await;
            while receiver.recv().await.is_some() {}
        }
        drop(receiver);
        let counts = world.counts();
        let expected = if is_closed {
            "remote close_frame 1000 1"
        } else {
            "local panicked none 1"
        };
        assert_eq!((counts.ends(), counts.buffered()), (vec![expected.to_owned()], (0, 0)));
    }
}

async fn what_a_half_says_is_what_the_socket_says<L: Library>() {
    let world = World::new();
    let (server, _peer) = wire().await;
    let (mut sender, receiver) = world.endpoint.meter(L::serve(server).await).split();
    sender.send(L::message(&close(1000))).await.unwrap();
    sender.send(L::message(&text("late"))).await.unwrap_err();
    SinkExt::send(&mut sender, L::message(&text("later"))).await.unwrap_err();
    drop(receiver);
    let counts = world.counts();
    assert_eq!((counts.flushed(), counts.dropped("closed")), ((1, 2), (2, 9)));
    drop(sender);
    assert_eq!(world.counts().ends(), ["local close_frame 1000 1"]);
}
