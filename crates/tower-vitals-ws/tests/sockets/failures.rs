//! Connections that end without a message that closes them.

use std::panic::resume_unwind;

use crate::{
    counts::World,
    library::{Library, close, text},
    wire::{GIANT, UNMASKED, closing, frame, reset, rest, wire, write},
};

with_each_library!(
    what_comes_breaks_the_protocol,
    the_other_side_goes_away,
    this_side_lets_go,
    a_panic_is_told_from_a_drop,
    a_panic_that_was_there_before_is_not_its_own,
    an_aborted_task_lets_go,
    what_failed_says_more_than_the_close_it_is_answered_with,
);

/// Reads until nothing comes, and says how that ended.
async fn end_after<L: Library>(bytes: &[u8]) -> Vec<String> {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    write(&mut peer, bytes).await;
    while let Some(Ok(_)) = socket.recv().await {}
    drop(socket);
    world.counts().ends()
}

async fn what_comes_breaks_the_protocol<L: Library>() {
    let protocol = "remote protocol_error none 1";
    let table = [
        (UNMASKED.to_vec(), protocol),
        (frame(0x83, b"a"), protocol),
        (frame(0x8B, b"a"), protocol),
        (frame(0xC1, b"a"), protocol),
        (frame(0x80, b"goes on with nothing"), protocol),
        (frame(0x09, b"a ping in pieces"), protocol),
        (frame(0x88, b"1"), protocol),
        (frame(0x81, b"\xFF\xFE"), "remote invalid_utf8 none 1"),
        (
            [frame(0x01, b"ab"), frame(0x80, b"\xC3")].concat(),
            "remote invalid_utf8 none 1",
        ),
        (GIANT.to_vec(), "remote too_large none 1"),
    ];
    for (bytes, expected) in table {
        assert_eq!(end_after::<L>(&bytes).await, [expected], "{bytes:?}");
    }
}

async fn the_other_side_goes_away<L: Library>() {
    for is_reset in [false, true] {
        let world = World::new();
        let (server, peer) = wire().await;
        let mut socket = world.endpoint.meter(L::serve(server).await);
        socket.send(L::message(&text("never read"))).await.unwrap();
        if is_reset {
            reset(peer);
        } else {
            drop(peer);
        }
        while let Some(Ok(_)) = socket.recv().await {}
        drop(socket);
        assert_eq!(world.counts().ends(), ["remote reset none 1"], "by a reset: {is_reset}");
    }
}

async fn this_side_lets_go<L: Library>() {
    let world = World::new();
    let (server, _peer) = wire().await;
    drop(world.endpoint.meter(L::serve(server).await));
    assert_eq!(world.counts().ends(), ["local dropped none 1"]);
}

async fn a_panic_is_told_from_a_drop<L: Library>() {
    let world = World::new();
    let (server, _peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    let task = tokio::spawn(async move {
        socket.feed(L::message(&text("lost"))).await.unwrap();
        resume_unwind(Box::new("on purpose"));
    });
    assert!(task.await.unwrap_err().is_panic());
    let counts = world.counts();
    assert_eq!(counts.ends(), ["local panicked none 1"]);
    assert_eq!((counts.connections(), counts.buffered()), (0, (0, 0)));
    assert_eq!(counts.dropped("connection_dropped"), (1, 4));
}

async fn a_panic_that_was_there_before_is_not_its_own<L: Library>() {
    /// Makes a connection, and lets go of it, while its thread unwinds.
    struct InDrop<F: FnMut()>(F);
    impl<F: FnMut()> Drop for InDrop<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    let world = World::new();
    let (server, _peer) = wire().await;
    let mut socket = Some(L::serve(server).await);
    let endpoint = world.endpoint.clone();
    let task = tokio::spawn(async move {
        let _late = InDrop(move || drop(socket.take().map(|socket| endpoint.meter(socket))));
        resume_unwind(Box::new("on purpose"));
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(world.counts().ends(), ["local dropped none 1"]);
}

async fn an_aborted_task_lets_go<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    let task = tokio::spawn(async move {
        socket.feed(L::message(&text("lost"))).await.unwrap();
        while let Some(Ok(_)) = socket.recv().await {}
    });
    write(&mut peer, &frame(0x81, b"here")).await;
    world.until(|counts| counts.received("text").0 == 1).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(world.counts().ends(), ["local dropped none 1"]);
    let _ = rest(&mut peer).await;
}

async fn what_failed_says_more_than_the_close_it_is_answered_with<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    write(&mut peer, &[UNMASKED.to_vec(), closing(1000)].concat()).await;
    assert!(socket.recv().await.unwrap().is_err());
    // Accepted by one library, and refused by another.
    let _ = socket.send(L::message(&close(1002))).await;
    drop(socket);
    let counts = world.counts();
    assert_eq!(counts.ends(), ["remote protocol_error none 1"]);
    counts.assert_adds_up();
}
