//! What operators see of open connections, and how they close one.

use futures_util::{SinkExt, StreamExt, stream::FusedStream};
use tokio::time::{Instant, advance, pause, resume, sleep, timeout};
use tower_vitals_ws::{CloseCode, ConnectionId, Failure, Heartbeat, Limits, Quality, SortBy, WsError};

use crate::{
    counts::World,
    library::{Library, Tungstenite029, close, text},
    life::{given, ms, secs},
    wire::{client, closing, codes, frame, next_frame, rest, wire, write},
};

with_each_library!(
    who_waits_for_messages_is_woken_at_once,
    only_one_order_counts,
    who_does_not_answer_is_not_waited_for,
    who_only_sends_hears_of_it_with_the_next_message,
    who_closes_then_says_what_it_was_told,
    what_is_listed_is_so,
    a_list_has_what_is_open,
);

async fn who_waits_for_messages_is_woken_at_once<L: Library>() {
    for is_split in [false, true] {
        let world = World::new();
        let (server, mut peer) = wire().await;
        let socket = world.endpoint.meter(L::serve(server).await);
        let (woken, is_woken) = tokio::sync::oneshot::channel();
        let server = tokio::spawn(async move {
            let first = if is_split {
                let (_sender, mut receiver) = socket.split();
                let first = receiver.recv().await;
                while receiver.recv().await.is_some() {}
                first
            } else {
                let mut socket = socket;
                let first = socket.recv().await;
                while socket.recv().await.is_some() {}
                first
            };
            let _ = woken.send(first.map(|message| L::said(message.unwrap())));
        });
        // It waits, and nothing wakes it.
        sleep(ms(20)).await;
        let began = Instant::now();
        assert!(world.sockets().kick(world.only().id, CloseCode::new(4_001).unwrap()));
        assert_eq!(next_frame(&mut peer).await, (0x88, 4_001_u16.to_be_bytes().to_vec()));
        write(&mut peer, &closing(4_001)).await;
        assert_eq!(is_woken.await.unwrap(), Some(close(4_001)), "the answer is given on");
        server.await.unwrap();
        assert!(began.elapsed() < secs(4), "there is nothing to wait for");
        let counts = world.counts();
        assert_eq!(counts.ends(), ["local kicked 4xxx 1"]);
        assert_eq!((counts.attempted(), counts.flushed()), ((1, 2), (1, 2)));
    }
}

async fn only_one_order_counts<L: Library>() {
    let world = World::new();
    let sockets = world.sockets();
    let (server, mut peer) = wire().await;
    let server = tokio::spawn(given::<L>(world.endpoint.meter(L::serve(server).await)));
    let id = world.only().id;
    let other = (0..2_u64).map(|id| format!("{id:016x}").parse::<ConnectionId>().unwrap());
    assert!(
        other
            .filter(|other| *other != id)
            .all(|id| !sockets.kick(id, CloseCode::POLICY))
    );
    assert!(sockets.kick(id, CloseCode::POLICY));
    assert!(!sockets.kick(id, CloseCode::NORMAL), "it is on its way");
    assert_eq!(next_frame(&mut peer).await.1, 1_008_u16.to_be_bytes());
    assert!(!sockets.kick(id, CloseCode::NORMAL));
    drop(peer);
    server.await.unwrap();
    assert!(!sockets.kick(id, CloseCode::NORMAL), "it is gone");
    assert_eq!(world.counts().ends(), ["local kicked 1008 1"]);

    let (server, mut peer) = wire().await;
    let limits = Limits::new().idle_timeout(ms(50));
    let _server = tokio::spawn(given::<L>(world.endpoint.meter(L::serve(server).await).limits(limits)));
    let id = world.only().id;
    assert_eq!(next_frame(&mut peer).await.0, 0x88);
    assert!(!sockets.kick(id, CloseCode::NORMAL), "this side closes it already");
}

async fn who_does_not_answer_is_not_waited_for<L: Library>() {
    let world = World::timed();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    socket.send(L::message(&text("hello"))).await.unwrap();
    pause();
    let began = Instant::now();
    assert!(world.sockets().kick(world.only().id, CloseCode::NORMAL));
    assert!(socket.recv().await.is_none());
    let took = began.elapsed();
    assert!(secs(5) <= took && took <= secs(6), "{took:?}");
    assert!(socket.recv().await.is_none());
    assert!(
        socket
            .send(L::message(&text("late")))
            .await
            .is_err_and(|error| error.failure() == Failure::Closed)
    );
    timeout(secs(60), socket.finish()).await.unwrap().unwrap_or_default();
    drop(socket);
    resume();
    assert_eq!(codes(&rest(&mut peer).await), [1000]);
    let counts = world.counts();
    assert_eq!(
        (counts.ends(), counts.dropped("closed")),
        (vec!["local kicked 1000 1".to_owned()], (1, 4))
    );
    counts.assert_adds_up();
}

#[tokio::test]
async fn a_stream_that_is_over_is_terminated() {
    let world = World::timed();
    let (server, _peer) = wire().await;
    let mut socket = world.endpoint.meter(Tungstenite029::serve(server).await);
    pause();
    world.sockets().kick(world.only().id, CloseCode::NORMAL);
    assert!(!socket.is_terminated());
    assert!(socket.next().await.is_none());
    assert!(socket.is_terminated());
}

async fn who_only_sends_hears_of_it_with_the_next_message<L: Library>() {
    for by_trait in [false, true] {
        let world = World::new();
        let (server, mut peer) = wire().await;
        let mut socket = world.endpoint.meter(L::serve(server).await);
        let server = tokio::spawn(async move {
            loop {
                let message = L::message(&text("tick"));
                let sent = if by_trait {
                    SinkExt::send(&mut socket, message).await
                } else {
                    socket.send(message).await
                };
                if let Err(error) = sent {
                    return error.failure();
                }
                sleep(ms(5)).await;
            }
        });
        assert_eq!(next_frame(&mut peer).await.1, b"tick");
        world.sockets().kick(world.only().id, CloseCode::GOING_AWAY);
        assert_eq!(codes(&rest(&mut peer).await), [1001]);
        assert_eq!(server.await.unwrap(), Failure::Closed);
        let counts = world.counts();
        assert_eq!(counts.ends(), ["local kicked 1001 1"]);
        let lost = if by_trait { (0, 0) } else { (1, 4) };
        assert_eq!((counts.dropped("closed"), counts.all_dropped()), (lost, lost));
    }
}

async fn who_closes_then_says_what_it_was_told<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    world.sockets().kick(world.only().id, CloseCode::GOING_AWAY);
    write(&mut peer, &closing(1001)).await;
    let _ = socket.finish().await;
    drop(socket);
    assert_eq!(codes(&rest(&mut peer).await), [1001], "not the library's own without a code");
    assert_eq!(world.counts().ends(), ["local kicked 1001 1"]);
}

async fn what_is_listed_is_so<L: Library>() {
    let world = World::timed();
    let (server, mut peer) = wire().await;
    let limits = Limits::new().heartbeat(Heartbeat::every(ms(100)).timeout(secs(30)));
    let socket = world
        .endpoint
        .meter_version(L::serve(server).await, http::Version::HTTP_2)
        .limits(limits);
    let mut socket = socket;
    for message in ["one", "three"] {
        write(&mut peer, &frame(0x81, message.as_bytes())).await;
        assert_eq!(L::said(socket.recv().await.unwrap().unwrap()), text(message));
    }
    socket.feed(L::message(&text("waits"))).await.unwrap();
    let waiting = tokio::spawn(async move {
        let came = socket.recv().await;
        (came.is_some(), socket)
    });
    let (first, payload) = next_frame(&mut peer).await;
    let (first, payload) = if first == 0x81 {
        next_frame(&mut peer).await
    } else {
        (first, payload)
    };
    assert_eq!(first, 0x89);
    sleep(ms(5)).await;
    write(&mut peer, &frame(0x8A, &payload)).await;
    world.until(|counts| counts.rtts() == 1).await;
    let listed = world.only();
    assert_eq!(
        (listed.endpoint.as_str(), listed.http_version),
        ("chat", http::Version::HTTP_2)
    );
    assert_eq!(listed.quality, Quality::Good);
    assert!(listed.rtt.is_some_and(|rtt| ms(5) <= rtt && rtt <= secs(5)), "{listed:?}");
    assert!(listed.age >= ms(50) && listed.idle < listed.age, "{listed:?}");
    assert_eq!((listed.received_messages, listed.dropped_messages), (3, 0));
    assert!(listed.attempted_messages >= 2, "{listed:?}");
    assert_eq!((listed.queued_messages, listed.queued_bytes), (0, 0));
    assert_eq!(listed.unsent, None, "the ping took it along");
    pause();
    advance(ms(40)).await;
    let later = world.only();
    resume();
    assert!(
        later.age >= listed.age + ms(40) && later.idle >= listed.idle + ms(40),
        "{later:?}"
    );
    write(&mut peer, &frame(0x81, b"x")).await;
    let (came, mut socket) = waiting.await.unwrap();
    assert!(came);
    socket.feed(L::message(&text("waits"))).await.unwrap();
    let listed = world.only();
    assert!(listed.buffered_messages >= 1 && listed.buffered_bytes >= 5, "{listed:?}");
    socket.send(L::message(&close(1000))).await.unwrap();
    socket.send(L::message(&text("late"))).await.unwrap_err();
    assert_eq!((world.only().dropped_messages, world.only().buffered_bytes), (1, 0));
}

async fn a_list_has_what_is_open<L: Library>() {
    let world = World::new();
    let sockets = world.sockets();
    let other = sockets.endpoint("other");
    let mut kept = Vec::new();
    for place in 0..6_usize {
        let (server, peer) = wire().await;
        let endpoint = if place % 2 == 0 { &world.endpoint } else { &other };
        let mut socket = endpoint.meter(L::serve(server).await);
        for _ in 0..place {
            socket.send(L::message(&text("x"))).await.unwrap();
        }
        kept.push((socket, peer));
    }
    let attempted = |most| {
        sockets
            .connections(SortBy::Attempted, most)
            .iter()
            .map(|one| one.attempted_messages)
            .collect::<Vec<_>>()
    };
    assert_eq!(attempted(usize::MAX), [5, 4, 3, 2, 1, 0]);
    assert_eq!((attempted(2), attempted(0)), (vec![5, 4], vec![]));
    let ages: Vec<_> = sockets
        .connections(SortBy::Age, 6)
        .iter()
        .map(|one| one.attempted_messages)
        .collect();
    assert_eq!(ages, [0, 1, 2, 3, 4, 5], "the oldest first");
    let listed = sockets.connections(SortBy::Attempted, 6);
    let endpoints: Vec<_> = listed.iter().map(|one| one.endpoint.as_str()).collect();
    assert_eq!(endpoints, ["other", "chat", "other", "chat", "other", "chat"]);
    kept.remove(3);
    assert_eq!(attempted(9), [5, 4, 2, 1, 0]);
    kept.clear();
    assert_eq!(sockets.connections(SortBy::Age, 9), []);
}

/// Two clients of which one is told to go.
#[tokio::test]
async fn only_the_one_that_is_meant_is_closed() {
    let world = World::new();
    let mut peers = Vec::new();
    for _ in 0..2 {
        let (server, peer) = wire().await;
        tokio::spawn(crate::echo::echo::<Tungstenite029>(
            world.endpoint.meter(Tungstenite029::serve(server).await),
        ));
        peers.push(client(peer).await);
    }
    let oldest = world.sockets().connections(SortBy::Age, 1)[0].id;
    assert!(world.sockets().kick(oldest, CloseCode::NORMAL));
    assert!(peers[0].next().await.unwrap().unwrap().is_close());
    while peers[0].next().await.is_some() {}
    assert_eq!(
        world.until(|counts| counts.connections() == 1).await.ends(),
        ["local kicked 1000 1"]
    );
    let hello = tokio_tungstenite030::tungstenite::Message::text("hello");
    peers[1].send(hello.clone()).await.unwrap();
    assert_eq!(peers[1].next().await.unwrap().unwrap(), hello);
}
