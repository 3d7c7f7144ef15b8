//! Servers that stop.

use std::num::NonZeroU32;

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tower_vitals_ws::{CloseCode, Drain};

use crate::{
    counts::World,
    echo::echo,
    library::{Library, text},
    life::{given, ms, secs},
    wire::{closing, codes, frame, frames, next_frame, rest, wire, write},
};

with_each_library!(
    connections_are_closed_in_rounds_and_new_ones_at_once,
    what_is_left_is_told,
    nothing_is_drained_at_once,
    what_comes_too_late_is_closed,
);

async fn connections_are_closed_in_rounds_and_new_ones_at_once<L: Library>() {
    const CONNECTIONS: usize = 40;
    let world = World::new();
    let mut peers = JoinSet::new();
    let began = Instant::now();
    let connect = async |peers: &mut JoinSet<_>| {
        let (server, mut peer) = wire().await;
        tokio::spawn(echo::<L>(world.endpoint.meter(L::serve(server).await)));
        peers.spawn(async move {
            let (first, payload) = next_frame(&mut peer).await;
            let at = began.elapsed();
            write(&mut peer, &closing(1012)).await;
            assert_eq!(rest(&mut peer).await, b"", "once");
            (at, first, payload)
        });
    };
    for _ in 0..CONNECTIONS {
        connect(&mut peers).await;
    }
    let drain = Drain::new()
        .code(CloseCode::SERVICE_RESTART)
        .rounds(NonZeroU32::new(5).unwrap())
        .over(ms(1_000))
        .grace(secs(20));
    let sockets = world.sockets();
    let from = began.elapsed();
    let draining = tokio::spawn(async move { sockets.drain(drain).await });
    sleep(ms(100)).await;
    connect(&mut peers).await;
    let drained = draining.await.unwrap();
    assert_eq!((drained.closed, drained.left), (CONNECTIONS as u64 + 1, 0));
    let mut rounds = [0_u32; 6];
    for (at, first, payload) in peers.join_all().await {
        assert_eq!((first, payload), (0x88, 1_012_u16.to_be_bytes().to_vec()));
        rounds[usize::try_from((at - from).as_millis() / 240).unwrap().min(5)] += 1;
    }
    // By chance, a round may be small; that three are empty is not by chance.
    assert!(rounds.iter().filter(|round| **round > 0).count() >= 3, "{rounds:?}");
    assert!(began.elapsed() - from < secs(10), "it does not wait for nothing");
    assert_eq!(world.counts().ends(), ["local shutdown 1012 41"]);
}

async fn what_is_left_is_told<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let answering = tokio::spawn(given::<L>(world.endpoint.meter(L::serve(server).await)));
    let (busy, mut busy_peer) = wire().await;
    // Its task does something else.
    let mut busy = world.endpoint.meter(L::serve(busy).await);
    let drain = Drain::new().rounds(NonZeroU32::MIN).over(secs(0)).grace(ms(300));
    let sockets = world.sockets();
    let draining = tokio::spawn(async move { sockets.drain(drain).await });
    assert_eq!(next_frame(&mut peer).await, (0x88, 1_001_u16.to_be_bytes().to_vec()));
    write(&mut peer, &closing(1001)).await;
    answering.await.unwrap();
    let drained = draining.await.unwrap();
    assert_eq!((drained.closed, drained.left), (1, 1));
    write(&mut busy_peer, &closing(1001)).await;
    while busy.recv().await.is_some() {}
    drop(busy);
    assert_eq!(codes(&rest(&mut busy_peer).await), [1001]);
    assert_eq!(world.counts().ends(), ["local shutdown 1001 2"]);
}

async fn nothing_is_drained_at_once<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    drop((world.endpoint.meter(L::serve(server).await), peer));
    let began = Instant::now();
    let drained = world.sockets().drain(Drain::new().over(secs(60)).grace(secs(60))).await;
    assert_eq!((drained.closed, drained.left), (0, 0));
    assert!(began.elapsed() < secs(10));
}

async fn what_comes_too_late_is_closed<L: Library>() {
    let world = World::new();
    world.sockets().drain(Drain::new()).await;
    let (server, mut peer) = wire().await;
    write(&mut peer, &[frame(0x81, b"hello"), closing(1001)].concat()).await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    let mut came = Vec::new();
    while let Some(Ok(message)) = socket.recv().await {
        came.push(L::said(message));
    }
    assert_eq!(came[0], text("hello"), "what is there is given");
    drop(socket);
    let sent = rest(&mut peer).await;
    assert_eq!((codes(&sent), frames(&sent).len()), (vec![1001], 1));
    assert_eq!(world.counts().ends(), ["local shutdown 1001 1"]);
}
