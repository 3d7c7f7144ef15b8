//! Who closed a connection, and with what.

use crate::{
    counts::World,
    echo::echo,
    library::{Library, Said, close, text},
    wire::{closing, frame, rest, wire, write},
};

with_each_library!(
    the_other_side_closes,
    this_side_closes,
    this_side_closes_without_a_code,
    the_first_of_two_that_close_counts,
    a_reply_that_never_left_is_unfinished,
    a_close_that_never_left_is_unfinished,
    a_close_that_was_answered_is_finished,
    closing_again_changes_nothing,
    a_failure_is_no_close_of_ours,
);

async fn the_other_side_closes<L: Library>() {
    let frames = [
        (closing(1000), "1000"),
        (closing(1001), "1001"),
        (closing(1011), "1011"),
        (closing(3333), "3xxx"),
        (closing(4999), "4xxx"),
        (frame(0x88, b""), "none"),
    ];
    for (bytes, code) in frames {
        let world = World::new();
        let (server, mut peer) = wire().await;
        let server = tokio::spawn(echo::<L>(world.endpoint.meter(L::serve(server).await)));
        write(&mut peer, &bytes).await;
        server.await.unwrap();
        assert_eq!(world.ends().await, [format!("remote close_frame {code} 1")]);
        let reply = rest(&mut peer).await;
        assert_eq!(reply[0], 0x88, "the reply has left: {reply:?}");
    }
}

async fn this_side_closes<L: Library>() {
    let codes = [(1000, "1000"), (1001, "1001"), (1012, "1012"), (3000, "3xxx"), (4004, "4xxx")];
    for (code, class) in codes {
        let world = World::new();
        let (server, mut peer) = wire().await;
        let mut socket = world.endpoint.meter(L::serve(server).await);
        socket.send(L::message(&close(code))).await.unwrap();
        write(&mut peer, &closing(code)).await;
        while socket.recv().await.is_some() {}
        drop(socket);
        let counts = world.counts();
        assert_eq!(counts.ends(), [format!("local close_frame {class} 1")]);
        assert_eq!(
            (counts.attempted(), counts.flushed(), counts.received("close")),
            ((1, 2), (1, 2), (1, 2))
        );
    }
}

async fn this_side_closes_without_a_code<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    write(&mut peer, &[frame(0x81, b"late"), closing(1000)].concat()).await;
    socket.finish().await.unwrap();
    drop(socket);
    let counts = world.counts();
    assert_eq!(counts.ends(), ["local close_frame none 1"]);
    assert_eq!(
        counts.attempted(),
        (0, 0),
        "the library's own closing message is none of the application's"
    );
    assert_eq!(rest(&mut peer).await[0], 0x88);
}

async fn the_first_of_two_that_close_counts<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    write(&mut peer, &closing(4000)).await;
    assert_eq!(L::said(socket.recv().await.unwrap().unwrap()), close(4000));
    socket.send(L::message(&close(1000))).await.unwrap_err();
    assert!(socket.recv().await.is_none());
    drop(socket);
    let counts = world.counts();
    assert_eq!(counts.ends(), ["remote close_frame 4xxx 1"]);
    assert_eq!((counts.attempted(), counts.dropped("closing")), ((1, 2), (1, 2)));
}

async fn a_reply_that_never_left_is_unfinished<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    write(&mut peer, &closing(1000)).await;
    assert_eq!(L::said(socket.recv().await.unwrap().unwrap()), close(1000));
    drop(socket);
    assert_eq!(world.counts().ends(), ["remote close_unfinished 1000 1"]);
    assert_eq!(rest(&mut peer).await, [], "as the count says");
}

async fn a_close_that_never_left_is_unfinished<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    socket.feed(L::message(&text("first"))).await.unwrap();
    socket.feed(L::message(&Said::Close(None))).await.unwrap();
    drop(socket);
    let counts = world.counts();
    assert_eq!(counts.ends(), ["local close_unfinished none 1"]);
    assert_eq!((counts.flushed(), counts.dropped("connection_dropped")), ((0, 0), (2, 5)));
    let _ = rest(&mut peer).await;
}

async fn a_close_that_was_answered_is_finished<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    socket.send(L::message(&close(1001))).await.unwrap();
    write(&mut peer, &closing(1001)).await;
    assert_eq!(L::said(socket.recv().await.unwrap().unwrap()), close(1001));
    // Whoever knows the protocol knows that nothing else comes.
    drop(socket);
    assert_eq!(world.counts().ends(), ["local close_frame 1001 1"]);
}

async fn closing_again_changes_nothing<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    socket.send(L::message(&close(1001))).await.unwrap();
    socket.send(L::message(&close(1000))).await.unwrap_err();
    write(&mut peer, &closing(1001)).await;
    socket.finish().await.unwrap();
    socket.finish().await.unwrap();
    drop(socket);
    let counts = world.counts();
    assert_eq!(counts.ends(), ["local close_frame 1001 1"]);
    assert_eq!((counts.flushed(), counts.dropped("closing")), ((1, 2), (1, 2)));
}

async fn a_failure_is_no_close_of_ours<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    drop(peer);
    while let Some(Ok(_)) = socket.recv().await {}
    // What many do in the end, whatever happened.
    let _ = socket.finish().await;
    drop(socket);
    assert_eq!(world.counts().ends(), ["remote reset none 1"]);
}
