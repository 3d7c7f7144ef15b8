//! Handlers that wait in `send` for a peer that never reads.

use std::time::Duration;

use futures_util::SinkExt;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    task::JoinHandle,
    time::{Instant, advance, pause, resume},
};
use tower_vitals_ws::{CloseCode, Drain, Drained, Failure, Heartbeat, Limits, MeteredWebSocket, WsError};

use crate::{
    counts::World,
    library::{Library, text},
    life::secs,
    wire::{codes, narrow, rest},
};

with_each_library!(
    a_heartbeat_frees_it,
    a_limit_of_age_frees_it,
    a_kick_frees_it,
    a_drain_frees_it,
    quality_follows_what_waits,
    a_closing_message_comes_after_what_was_sent_before,
);

/// Sends without end, in one way or the other, and says how it ended.
async fn push<L: Library>(mut socket: MeteredWebSocket<L::Socket<TcpStream>>, by_trait: bool) -> Failure {
    loop {
        let message = L::message(&text(&"x".repeat(50_000)));
        let sent = if by_trait {
            SinkExt::send(&mut socket, message).await
        } else {
            socket.send(message).await
        };
        if let Err(error) = sent {
            return error.failure();
        }
    }
}

/// A handler that is stuck, and its peer.
async fn stuck<L: Library>(world: &World, limits: Limits, by_trait: bool) -> (JoinHandle<Failure>, TcpStream) {
    let (server, peer) = narrow().await;
    let socket = world.endpoint.meter(L::serve(server).await).limits(limits);
    let pushing = tokio::spawn(push::<L>(socket, by_trait));
    world.until(|_| world.only().unsent.is_some()).await;
    (pushing, peer)
}

/// Waits until it is free, in time that passes as fast as it can.
async fn free(world: &World, pushing: JoinHandle<Failure>, most: Duration, end: &str) {
    let began = Instant::now();
    assert_eq!(pushing.await.unwrap(), Failure::Closed);
    assert!(began.elapsed() <= most, "{:?}", began.elapsed());
    resume();
    let counts = world.counts();
    assert_eq!(counts.ends(), [end]);
    let (lost, _) = counts.all_dropped();
    assert!(lost >= 1, "{counts:#?}");
    counts.assert_adds_up();
}

async fn a_heartbeat_frees_it<L: Library>() {
    for by_trait in [true, false] {
        let world = World::timed();
        let limits = Limits::new().heartbeat(Heartbeat::every(secs(30)).timeout(secs(10)));
        let (pushing, _peer) = stuck::<L>(&world, limits, by_trait).await;
        pause();
        free(&world, pushing, secs(42), "local heartbeat_timeout none 1").await;
        assert_eq!(world.counts().heartbeat_timeouts(), 1);
    }
}

async fn a_limit_of_age_frees_it<L: Library>() {
    let world = World::timed();
    let (pushing, _peer) = stuck::<L>(&world, Limits::new().max_lifetime(secs(100)), false).await;
    pause();
    free(&world, pushing, secs(106), "local lifetime none 1").await;
}

async fn a_kick_frees_it<L: Library>() {
    for by_trait in [true, false] {
        let world = World::timed();
        let (pushing, mut peer) = stuck::<L>(&world, Limits::new(), by_trait).await;
        pause();
        assert!(world.sockets().kick(world.only().id, CloseCode::POLICY));
        free(&world, pushing, secs(6), "local kicked none 1").await;
        assert!(codes(&rest(&mut peer).await).is_empty(), "there was no room for it");
    }
}

async fn a_drain_frees_it<L: Library>() {
    let world = World::timed();
    let (pushing, _peer) = stuck::<L>(&world, Limits::new(), false).await;
    pause();
    let Drained { closed, left, .. } = world.sockets().drain(Drain::new()).await;
    assert_eq!((closed, left), (1, 0));
    free(&world, pushing, secs(1), "local shutdown none 1").await;
}

async fn quality_follows_what_waits<L: Library>() {
    let world = World::timed();
    let (pushing, mut peer) = stuck::<L>(&world, Limits::new(), false).await;
    assert_eq!(world.counts().qualities(), [1, 0, 0]);
    pause();
    advance(secs(2)).await;
    assert_eq!(world.counts().qualities(), [0, 1, 0]);
    let listed = world.only();
    assert!(listed.unsent.is_some_and(|unsent| unsent >= secs(2)), "{listed:?}");
    assert!(listed.buffered_messages >= 1 && listed.buffered_bytes >= 50_000, "{listed:?}");
    advance(secs(9)).await;
    assert_eq!(world.counts().qualities(), [0, 0, 1]);
    resume();
    let reading = tokio::spawn(async move {
        let mut bytes = vec![0; 1 << 16];
        while peer.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    });
    world.until(|counts| counts.qualities() == [1, 0, 0]).await;
    world.sockets().kick(world.only().id, CloseCode::NORMAL);
    assert_eq!(pushing.await.unwrap(), Failure::Closed);
    reading.await.unwrap();
    assert_eq!(world.counts().ends(), ["local kicked 1000 1"]);
}

async fn a_closing_message_comes_after_what_was_sent_before<L: Library>() {
    let world = World::timed();
    let (pushing, mut peer) = stuck::<L>(&world, Limits::new(), false).await;
    assert!(world.sockets().kick(world.only().id, CloseCode::new(4_321).unwrap()));
    // It has its time until the other side reads again.
    let came = rest(&mut peer).await;
    assert_eq!(pushing.await.unwrap(), Failure::Closed);
    assert_eq!(codes(&came), [4_321]);
    let counts = world.counts();
    assert_eq!(counts.ends(), ["local kicked 4xxx 1"]);
    assert_eq!(counts.buffered(), (0, 0));
    counts.assert_adds_up();
}
