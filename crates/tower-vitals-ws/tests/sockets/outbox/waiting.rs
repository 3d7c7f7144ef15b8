//! Senders that wait for room.

use std::{future::Future, pin::pin, time::Duration};

use futures_util::FutureExt;
use tokio::time::Instant;
use tower_vitals_ws::{CloseCode, Outbox, Outgoing, Overflow, SendErrorKind};

use super::stuck::{Stuck, stuck};
use crate::{
    counts::World,
    library::{Library, text},
};

with_each_library!(
    senders_get_in_as_they_came,
    who_waits_too_long_gets_the_message_back,
    who_goes_is_cancelled_and_blocks_nobody,
    who_tries_does_not_wait_and_does_not_overtake,
    who_waits_hears_of_the_end,
    a_close_comes_after_those_who_waited_before,
);

fn say<L: Library>(what: &str) -> L::Message {
    L::message(&text(what))
}

fn one<M>() -> Outbox<M> {
    Outbox::new().max_messages(1)
}

async fn senders_get_in_as_they_came<L: Library>() {
    let world = World::new();
    let Stuck { sender, task, peer } = stuck::<L>(&world, one()).await;
    sender.send(say::<L>("0")).await.unwrap();
    let mut tasks = Vec::new();
    for number in 1..=20_u64 {
        let sender = sender.clone();
        tasks.push(tokio::spawn(async move { sender.send(say::<L>(&number.to_string())).await }));
        world.until(|counts| counts.queued().0 == number + 1).await;
    }
    let counts = world.counts();
    assert_eq!((counts.attempted().0, sender.len()), (22, 21));
    counts.assert_adds_up();
    let (came, _client) = Stuck::<L>::read(peer, 21).await.unwrap();
    let expected: Vec<_> = (0..=20).map(|number| number.to_string()).collect();
    assert_eq!(came, expected);
    for sending in tasks {
        sending.await.unwrap().unwrap();
    }
    task.abort();
}

async fn who_waits_too_long_gets_the_message_back<L: Library>() {
    let world = World::paused();
    let settings = one().overflow(Overflow::Block {
        timeout: Duration::from_secs(3),
    });
    let Stuck {
        sender,
        task,
        peer: _peer,
    } = stuck::<L>(&world, settings).await;
    sender.send(say::<L>("0")).await.unwrap();
    let begun = Instant::now();
    let error = sender.send(say::<L>("late")).await.unwrap_err();
    assert_eq!((begun.elapsed().as_secs(), error.kind()), (3, SendErrorKind::Timeout));
    assert_eq!(L::said(error.into_message()), text("late"));
    let counts = world.counts();
    assert_eq!((counts.dropped("send_timeout"), counts.queued()), ((1, 4), (1, 1)));
    counts.assert_adds_up();
    task.abort();
}

/// Lets a future begin.
fn begin(future: std::pin::Pin<&mut impl Future>) {
    assert!(future.now_or_never().is_none(), "it has to wait");
}

async fn who_goes_is_cancelled_and_blocks_nobody<L: Library>() {
    let world = World::new();
    let Stuck { sender, task, peer } = stuck::<L>(&world, one()).await;
    sender.send(say::<L>("0")).await.unwrap();
    let mut last = pin!(sender.send(say::<L>("last")));
    {
        let mut first = Box::pin(sender.send(say::<L>("first")));
        begin(first.as_mut());
        begin(last.as_mut());
        assert_eq!(world.counts().queued(), (3, 10));
    }
    let counts = world.counts();
    assert_eq!((counts.queued(), counts.dropped("cancelled")), ((2, 5), (1, 5)));
    counts.assert_adds_up();
    drop(sender.send(say::<L>("never begun")));
    assert_eq!(world.counts().attempted(), counts.attempted());
    let (came, _client) = Stuck::<L>::read(peer, 2).await.unwrap();
    assert_eq!(came, ["0", "last"], "it got in although nobody asked for it meanwhile");
    last.await.unwrap();
    task.abort();
}

async fn who_tries_does_not_wait_and_does_not_overtake<L: Library>() {
    let world = World::new();
    let Stuck {
        sender,
        task,
        peer: _peer,
    } = stuck::<L>(&world, Outbox::new().max_bytes(900_000)).await;
    sender.send(L::message(&text(&"x".repeat(800_000)))).await.unwrap();
    let mut waits = pin!(sender.send(L::message(&text(&"y".repeat(200_000)))));
    begin(waits.as_mut());
    let error = sender.try_send(say::<L>("small")).unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Full);
    assert_eq!(world.counts().dropped("queue_full"), (1, 5));
    task.abort();
}

async fn who_waits_hears_of_the_end<L: Library>() {
    let world = World::new();
    let Stuck {
        sender,
        task,
        peer: _peer,
    } = stuck::<L>(&world, one()).await;
    sender.send(say::<L>("0")).await.unwrap();
    let waiting = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send(say::<L>("mine")).await }
    });
    world.until(|counts| counts.queued() == (2, 5)).await;
    task.abort();
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Closed);
    assert_eq!(L::said(error.into_message()), text("mine"));
    sender.closed().await;
    let counts = world.until(|counts| counts.connections() == 0).await;
    assert_eq!((counts.queued(), counts.buffered()), ((0, 0), (0, 0)));
    assert_eq!(counts.dropped("connection_dropped").0, 3, "{counts:#?}");
    counts.assert_adds_up();
}

async fn a_close_comes_after_those_who_waited_before<L: Library>() {
    let world = World::new();
    let Stuck {
        sender,
        task: _task,
        peer,
    } = stuck::<L>(&world, one()).await;
    sender.send(Outgoing::new(say::<L>("0"))).await.unwrap();
    let mut waits = pin!(sender.send(say::<L>("1")));
    begin(waits.as_mut());
    assert!(sender.close(CloseCode::new(4001).unwrap(), "done"));
    assert!(sender.is_closed());
    assert!(!sender.close(CloseCode::NORMAL, ""));
    assert_eq!(sender.try_send(say::<L>("late")).unwrap_err().kind(), SendErrorKind::Closed);
    let counts = world.counts();
    assert_eq!((counts.dropped("closed"), counts.dropped("closing")), ((1, 4), (1, 2)));
    assert_eq!(counts.queued(), (3, 2 + 6));
    let (came, _client) = Stuck::<L>::read(peer, 3).await.unwrap();
    assert_eq!(came[..2], ["0", "1"]);
    assert!(came[2].contains("4001") && came[2].contains("done"), "{}", came[2]);
    waits.await.unwrap();
    drop(_client);
    let _ = world.ends().await;
    world.counts().assert_adds_up();
}
