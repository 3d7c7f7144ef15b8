//! How long messages wait.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::time::{advance, sleep};
use tower_vitals_ws::{Outbox, Outgoing, Overflow, Quality};

use super::stuck::{Stuck, stuck};
use crate::{
    counts::World,
    library::{Library, text},
    wire::{client, wire},
};

with_each_library!(
    what_waited_too_long_is_not_sent,
    what_expires_behind_others_does_not_keep_them_back,
    it_is_shown_for_how_long_the_oldest_waits,
    what_waits_is_listed,
    one_wait_of_sixteen_is_timed,
    one_flush_of_sixteen_is_timed,
);

fn say<L: Library>(what: &str) -> L::Message {
    L::message(&text(what))
}

async fn what_waited_too_long_is_not_sent<L: Library>() {
    let world = World::paused();
    let settings = Outbox::new().max_messages(3).expires_in(Duration::from_secs(10));
    let Stuck { sender, task, peer } = stuck::<L>(&world, settings).await;
    sender
        .send(Outgoing::new(say::<L>("short")).expires_in(Duration::from_secs(1)))
        .await
        .unwrap();
    sender.send(say::<L>("usual")).await.unwrap();
    sender
        .send(Outgoing::new(say::<L>("long")).expires_in(Duration::from_secs(60)))
        .await
        .unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.counts().queued(), (3, 14), "nobody has looked yet");
    sender.try_send(say::<L>("next")).unwrap();
    assert_eq!(
        (world.counts().dropped("expired"), world.counts().queued()),
        ((1, 5), (3, 13))
    );
    sleep(Duration::from_secs(9)).await;
    let (came, _client) = Stuck::<L>::read(peer, 2).await.unwrap();
    assert_eq!(came, ["long", "next"]);
    let counts = world.counts();
    assert_eq!(counts.dropped("expired"), (2, 10));
    counts.assert_adds_up();
    task.abort();
}

async fn what_expires_behind_others_does_not_keep_them_back<L: Library>() {
    let world = World::paused();
    let (server, _peer) = wire().await;
    let (sender, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    sender.send(say::<L>("good")).await.unwrap();
    let short = Outgoing::new(say::<L>("short")).expires_in(Duration::from_secs(1));
    sender.send(short).await.unwrap();
    advance(Duration::from_secs(2)).await;
    assert!(socket.recv().now_or_never().is_none());
    let counts = world.counts();
    assert_eq!((counts.flushed(), counts.dropped("expired")), ((1, 4), (1, 5)));
}

async fn it_is_shown_for_how_long_the_oldest_waits<L: Library>() {
    let world = World::paused();
    let Stuck { sender, task, peer } = stuck::<L>(&world, Outbox::new()).await;
    let age = |world: &World| world.counts().of_series("oldest_queued_seconds");
    assert_eq!(age(&world), 0);
    sender.send(say::<L>("old")).await.unwrap();
    let other = stuck::<L>(&world, Outbox::new()).await;
    advance(Duration::from_secs(5)).await;
    sender.send(say::<L>("new")).await.unwrap();
    other.sender.send(say::<L>("other")).await.unwrap();
    advance(Duration::from_secs(2)).await;
    assert_eq!(age(&world), 7, "that of the worst connection");
    let (came, _client) = Stuck::<L>::read(peer, 2).await.unwrap();
    assert_eq!(came, ["old", "new"]);
    assert_eq!(age(&world), 2);
    other.task.abort();
    world.until(|counts| counts.connections() == 1).await;
    assert_eq!(age(&world), 0);
    task.abort();
}

async fn what_waits_is_listed<L: Library>() {
    let world = World::paused();
    let settings = Outbox::new().max_messages(2).overflow(Overflow::DropNewest);
    let (server, _peer) = wire().await;
    let (sender, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(settings);
    for what in ["one", "three"] {
        sender.send(say::<L>(what)).await.unwrap();
    }
    sender.send(say::<L>("four")).await.unwrap_err();
    for (passed, quality) in [(1, Quality::Good), (9, Quality::Degraded), (1, Quality::Bad)] {
        advance(Duration::from_secs(passed)).await;
        assert_eq!(world.only().quality, quality);
    }
    let listed = world.only();
    assert_eq!((listed.queued_messages, listed.queued_bytes), (2, 8));
    assert_eq!((listed.attempted_messages, listed.dropped_messages), (3, 1));
    assert_eq!(listed.unsent, Some(Duration::from_secs(11)));
    assert_eq!(world.counts().qualities(), [0, 0, 1]);
    assert!(socket.recv().now_or_never().is_none());
    let listed = world.only();
    assert_eq!((listed.queued_messages, listed.queued_bytes), (0, 0));
    assert_eq!((listed.unsent, listed.quality), (None, Quality::Good));
}

async fn one_wait_of_sixteen_is_timed<L: Library>() {
    let world = World::paused();
    let (server, peer) = wire().await;
    let mut peer = client(peer).await;
    let (sender, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
    for _ in 0..33 {
        sender.send(say::<L>("out")).await.unwrap();
    }
    advance(Duration::from_secs(2)).await;
    tokio::select! {
        _ = socket.recv() => panic!("nothing was sent"),
        message = peer.next() => drop(message.unwrap().unwrap()),
    }
    let counts = world.counts();
    let below = |bound: &str| counts.of_series(&format!(r#"queue_wait_seconds_bucket{{le="{bound}"}}"#));
    assert_eq!(
        (counts.of_series("queue_wait_seconds_count"), below("1.0"), below("2.5")),
        (3, 0, 3)
    );
    assert_eq!(counts.of_series("flush_seconds_count"), 1);
}

async fn one_flush_of_sixteen_is_timed<L: Library>() {
    let world = World::paused();
    let (server, _peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    let count = |world: &World| world.counts().of_series("flush_seconds_count");
    socket.feed(say::<L>("first")).await.unwrap();
    advance(Duration::from_secs(20)).await;
    socket.send(say::<L>("with it")).await.unwrap();
    assert_eq!(count(&world), 1);
    let counts = world.counts();
    let below = |bound: &str| counts.of_series(&format!(r#"flush_seconds_bucket{{le="{bound}"}}"#));
    assert_eq!((below("10.0"), below("30.0")), (0, 1));
    for _ in 0..15 {
        socket.send(say::<L>("more")).await.unwrap();
    }
    assert_eq!(count(&world), 1);
    socket.send(say::<L>("the 17th")).await.unwrap();
    assert_eq!(count(&world), 2);
}
