//! What happens when there is no room.

use std::time::Duration;

use tokio::sync::broadcast;
use tower_vitals_ws::{CloseCode, Outbox, Outgoing, Overflow, SendErrorKind};

use super::stuck::{BIG, Stuck, stuck};
use crate::{
    counts::World,
    library::{Library, Said, text},
};

with_each_library!(
    the_oldest_makes_room,
    the_newest_is_given_back,
    a_slow_connection_is_closed_without_another_message,
    a_slow_connection_that_gets_on_is_not_closed,
    the_latest_takes_the_place_of_its_key,
    bytes_are_bounded_too,
    what_is_too_large_is_given_back,
    the_other_side_is_told_what_it_missed,
    what_is_broadcast_is_forwarded,
    pings_go_ahead_and_are_bounded,
);

fn say<L: Library>(what: &str) -> L::Message {
    L::message(&text(what))
}

async fn the_oldest_makes_room<L: Library>() {
    let world = World::new();
    let settings = Outbox::new().max_messages(3).overflow(Overflow::DropOldest);
    let Stuck { sender, task, peer } = stuck::<L>(&world, settings).await;
    for what in ["1", "22", "333", "4444", "55555"] {
        sender.send(say::<L>(what)).await.unwrap();
    }
    let counts = world.counts();
    assert_eq!((counts.queued(), sender.len()), ((3, 12), 3));
    assert_eq!((counts.dropped("evicted"), counts.attempted()), ((2, 3), (6, BIG + 15)));
    counts.assert_adds_up();
    let (came, _client) = Stuck::<L>::read(peer, 3).await.unwrap();
    assert_eq!(came, ["333", "4444", "55555"]);
    let counts = world.until(|counts| counts.buffered() == (0, 0)).await;
    assert_eq!((counts.flushed(), counts.queued()), ((4, BIG + 12), (0, 0)));
    task.abort();
}

async fn the_newest_is_given_back<L: Library>() {
    let world = World::new();
    let settings = Outbox::new().max_messages(2).overflow(Overflow::DropNewest);
    let Stuck { sender, task, peer } = stuck::<L>(&world, settings).await;
    for what in ["1", "22"] {
        sender.send(say::<L>(what)).await.unwrap();
    }
    let error = sender.send(say::<L>("333")).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Full);
    assert_eq!(error.to_string(), "the outbox has no room for the message");
    assert_eq!(L::said(error.into_message()), text("333"));
    let counts = world.counts();
    assert_eq!((counts.queued(), counts.dropped("queue_full")), ((2, 3), (1, 3)));
    counts.assert_adds_up();
    let (came, _client) = Stuck::<L>::read(peer, 2).await.unwrap();
    assert_eq!(came, ["1", "22"]);
    task.abort();
}

fn impatient<M>(grace: Duration) -> Outbox<M> {
    let code = CloseCode::TRY_AGAIN_LATER;
    Outbox::new()
        .max_messages(1)
        .overflow(Overflow::DisconnectSlow { code, grace })
}

async fn a_slow_connection_is_closed_without_another_message<L: Library>() {
    let world = World::paused();
    let Stuck {
        sender,
        task,
        peer: _peer,
    } = stuck::<L>(&world, impatient(Duration::from_secs(5))).await;
    sender.send(say::<L>("1")).await.unwrap();
    assert_eq!(sender.send(say::<L>("22")).await.unwrap_err().kind(), SendErrorKind::Full);
    tokio::time::sleep(Duration::from_millis(4_900)).await;
    assert!(!sender.is_closed());
    let begun = tokio::time::Instant::now();
    sender.closed().await;
    assert_eq!(begun.elapsed().as_millis() / 10, 10);
    assert_eq!(sender.send(say::<L>("333")).await.unwrap_err().kind(), SendErrorKind::Closed);
    let counts = world.counts();
    assert_eq!((counts.queued(), counts.dropped("slow_consumer")), ((0, 0), (2, 3)));
    assert_eq!(counts.dropped("closed"), (1, 3));
    counts.assert_adds_up();
    task.abort();
    assert_eq!(world.ends().await, ["local slow_consumer none 1"]);
    world.counts().assert_adds_up();
}

async fn a_slow_connection_that_gets_on_is_not_closed<L: Library>() {
    let world = World::paused();
    let Stuck { sender, task, peer } = stuck::<L>(&world, impatient(Duration::from_secs(5))).await;
    sender.send(say::<L>("1")).await.unwrap();
    sender.send(say::<L>("22")).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (came, _client) = Stuck::<L>::read(peer, 1).await.unwrap();
    assert_eq!(came, ["1"]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    sender.send(say::<L>("333")).await.unwrap();
    world.until(|counts| counts.flushed().0 == 3).await;
    assert_eq!(world.counts().dropped("slow_consumer"), (1, 2));
    task.abort();
    assert_eq!(world.ends().await, ["local dropped none 1"]);
}

async fn the_latest_takes_the_place_of_its_key<L: Library>() {
    let world = World::new();
    let Stuck { sender, task, peer } = stuck::<L>(&world, Outbox::new().max_messages(3)).await;
    let latest = |what: &str, key: &'static str| Outgoing::new(say::<L>(what)).latest(key);
    sender.send(latest("a1", "a")).await.unwrap();
    sender.send(say::<L>("event")).await.unwrap();
    sender.send(latest("b1", "b")).await.unwrap();
    sender.send(latest("a22", "a")).await.unwrap();
    sender.try_send(latest("a333", "a")).unwrap();
    let counts = world.counts();
    assert_eq!((counts.queued(), counts.dropped("coalesced")), ((3, 11), (2, 5)));
    counts.assert_adds_up();
    let (came, _client) = Stuck::<L>::read(peer, 3).await.unwrap();
    assert_eq!(came, ["a333", "event", "b1"]);
    task.abort();
}

async fn bytes_are_bounded_too<L: Library>() {
    let world = World::new();
    let settings = Outbox::new().max_bytes(900_000).overflow(Overflow::DropOldest);
    let Stuck { sender, task, peer } = stuck::<L>(&world, settings).await;
    let long = |byte: char| L::message(&Said::Text(byte.to_string().repeat(400_000)));
    for byte in ['a', 'b', 'c'] {
        sender.send(long(byte)).await.unwrap();
    }
    let counts = world.counts();
    assert_eq!((counts.queued(), counts.dropped("evicted")), ((2, 800_000), (1, 400_000)));
    let (came, _client) = Stuck::<L>::read(peer, 2).await.unwrap();
    assert!(came[0].starts_with('b') && came[1].starts_with('c'));
    task.abort();
}

async fn what_is_too_large_is_given_back<L: Library>() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest, impatient_policy()] {
        let world = World::new();
        let settings = Outbox::new().max_bytes(900_000).overflow(overflow);
        let Stuck {
            sender,
            task,
            peer: _peer,
        } = stuck::<L>(&world, settings).await;
        sender.send(say::<L>("waits")).await.unwrap();
        let error = sender.send(L::message(&Said::Binary(vec![1; 900_001]))).await.unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::TooLarge);
        assert_eq!(L::said(error.into_message()), Said::Binary(vec![1; 900_001]));
        let counts = world.counts();
        assert_eq!((counts.dropped("too_large"), counts.queued()), ((1, 900_001), (1, 5)));
        counts.assert_adds_up();
        task.abort();
    }
}

fn impatient_policy() -> Overflow {
    Overflow::DisconnectSlow {
        code: CloseCode::POLICY,
        grace: Duration::ZERO,
    }
}

async fn the_other_side_is_told_what_it_missed<L: Library>() {
    let world = World::new();
    let settings = Outbox::new()
        .max_messages(2)
        .overflow(Overflow::DropOldest)
        .on_gap(|missed| L::message(&Said::Text(format!("missed {missed}"))));
    let Stuck { sender, task, peer } = stuck::<L>(&world, settings).await;
    for what in ["1", "2", "3", "4", "5"] {
        sender.send(say::<L>(what)).await.unwrap();
    }
    let (came, _client) = Stuck::<L>::read(peer, 3).await.unwrap();
    assert_eq!(came, ["missed 3", "4", "5"]);
    let counts = world.until(|counts| counts.buffered() == (0, 0)).await;
    assert_eq!(counts.attempted(), (7, BIG + 5 + 8), "word of it is a message too");
    counts.assert_adds_up();
    task.abort();
}

async fn what_is_broadcast_is_forwarded<L: Library>()
where
    L::Message: Clone,
{
    let world = World::new();
    let settings = Outbox::new()
        .max_messages(1)
        .on_gap(|missed| L::message(&Said::Text(format!("missed {missed}"))));
    let Stuck { sender, task, peer } = stuck::<L>(&world, settings).await;
    let (all, mut each) = broadcast::channel(4);
    let forwarding = tokio::spawn({
        let sender = sender.clone();
        async move { sender.forward(&mut each).await }
    });
    for number in 0..2 {
        assert!(all.send(say::<L>(&number.to_string())).is_ok());
    }
    // The first is in, the second waits for room, and the rest is for the channel to keep or to throw away.
    world.until(|counts| counts.queued() == (2, 2)).await;
    for number in 2..9 {
        assert!(all.send(say::<L>(&number.to_string())).is_ok());
    }
    let (came, _client) = Stuck::<L>::read(peer, 7).await.unwrap();
    assert_eq!(came, ["0", "1", "missed 3", "5", "6", "7", "8"]);
    let counts = world.until(|counts| counts.buffered() == (0, 0)).await;
    assert_eq!(counts.dropped("lagged"), (3, 0));
    counts.assert_adds_up();
    task.abort();
    // It ends with the connection, although nothing is broadcast.
    forwarding.await.unwrap();
    drop(all);
}

async fn pings_go_ahead_and_are_bounded<L: Library>() {
    let world = World::new();
    let Stuck { sender, task, peer } = stuck::<L>(&world, Outbox::new().max_messages(1).max_bytes(900_000)).await;
    sender.send(say::<L>("data")).await.unwrap();
    let ping = || L::message(&Said::Ping(b"hi".to_vec()));
    for _ in 0..64 {
        sender.send(ping()).await.unwrap();
    }
    assert_eq!(sender.send(ping()).await.unwrap_err().kind(), SendErrorKind::Full);
    let counts = world.counts();
    assert_eq!((counts.queued(), counts.dropped("queue_full")), ((65, 132), (1, 2)));
    let (came, _client) = Stuck::<L>::read(peer, 65).await.unwrap();
    assert_eq!((came[0].as_str(), came[64].as_str()), ("control hi", "data"));
    task.abort();
}
