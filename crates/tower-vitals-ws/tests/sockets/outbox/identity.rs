//! What is attempted is flushed, dropped, or waits, at every moment, with outboxes as well.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use futures_util::StreamExt;
use tokio::{task::JoinSet, time::timeout};
use tower_vitals_ws::{CloseCode, Outbox, OutboxSender, Outgoing, Overflow};

use crate::{
    counts::World,
    library::{Library, Said, TokioWebsockets013, Tungstenite029, Tungstenite030},
    wire::{client, narrow, reset},
};

const BYTES: u64 = 1_000;
const CONNECTIONS: usize = 48;
/// Those that are too slow are sent a closing message by nobody who counts here.
const CLOSES: u64 = 3 * CONNECTIONS as u64;
const SENDERS: u64 = 3;
const MESSAGES: u64 = 400;

fn settings<M: Send + 'static>(way: usize) -> Outbox<M> {
    let overflow = match way % 4 {
        0 => Overflow::Block {
            timeout: Duration::from_millis(2),
        },
        1 => Overflow::DropNewest,
        2 => Overflow::DropOldest,
        _ => Overflow::DisconnectSlow {
            code: CloseCode::POLICY,
            grace: Duration::from_millis(5),
        },
    };
    Outbox::new().max_messages(20).overflow(overflow)
}

/// Sends, gives some of it up, and goes on for a while after the connection is over.
async fn produce<L: Library>(sender: OutboxSender<L::Message>, begun: Arc<AtomicU64>) {
    for number in 0..MESSAGES {
        let message = Outgoing::new(L::message(&Said::Binary(vec![7; 1_000])));
        let message = match number % 5 {
            0 => message.latest(number % 2),
            1 => message.expires_in(Duration::from_millis(1)),
            _ => message,
        };
        begun.fetch_add(1, SeqCst);
        if number % 3 == 0 {
            let _ = sender.try_send(message);
        } else {
            // Both sleep for as long, so that either may come first.
            let _ = timeout(Duration::from_millis(2), sender.send(message)).await;
        }
        if number % 16 == 0 {
            tokio::task::yield_now().await;
        }
    }
}

async fn connection<L: Library>(world: World, begun: Arc<AtomicU64>, way: usize) {
    let (server, peer) = narrow().await;
    let (sender, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(settings(way));
    let mut producers = JoinSet::new();
    for _ in 0..SENDERS {
        producers.spawn(produce::<L>(sender.clone(), Arc::clone(&begun)));
    }
    let mut peer = Some(peer);
    if way % 3 == 0 {
        let mut client = client(peer.take().unwrap()).await;
        tokio::spawn(async move { while client.next().await.is_some_and(|message| message.is_ok()) {} });
    }
    let some = Duration::from_millis(20);
    match way / 4 % 3 {
        0 => drop(timeout(some, async { while socket.recv().await.is_some() {} }).await),
        1 => {
            let (mut receiver, driver) = socket.split();
            let driving = tokio::spawn(driver);
            let _ = timeout(some, async { while receiver.recv().await.is_some() {} }).await;
            if way % 2 == 0 {
                driving.abort();
            }
            drop(receiver);
        }
        _ => {
            let _ = timeout(some / 2, socket.recv()).await;
            if let Some(peer) = peer.take() {
                reset(peer);
            }
            begun.fetch_add(1, SeqCst);
            let _ = timeout(some, socket.finish()).await;
        }
    }
    while producers.join_next().await.is_some() {}
}

async fn run<L: Library>(world: World, begun: Arc<AtomicU64>) {
    let mut tasks = JoinSet::new();
    for way in 0..CONNECTIONS {
        tasks.spawn(connection::<L>(world.clone(), Arc::clone(&begun), way));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

fn scrape(world: &World, begun: &AtomicU64, over: &AtomicBool) -> u64 {
    let mut last = [(0, 0); 3];
    let mut scrapes = 0;
    while !over.load(SeqCst) {
        let counts = world.counts();
        counts.assert_adds_up();
        assert!(counts.attempted().0 <= begun.load(SeqCst) + CLOSES);
        let queued = counts.queued();
        assert!(queued.1 <= queued.0 * BYTES && queued.0 <= queued.1, "{counts:#?}");
        let now = [counts.attempted(), counts.flushed(), counts.all_dropped()];
        assert!(
            last.iter()
                .zip(&now)
                .all(|(before, after)| before.0 <= after.0 && before.1 <= after.1)
        );
        last = now;
        scrapes += 1;
    }
    scrapes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_that_is_attempted_is_accounted_for_at_every_moment() {
    let world = World::new();
    let (begun, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let scraping = thread::spawn({
        let (world, begun, over) = (world.clone(), Arc::clone(&begun), Arc::clone(&over));
        move || scrape(&world, &begun, &over)
    });
    tokio::join!(
        run::<Tungstenite029>(world.clone(), Arc::clone(&begun)),
        run::<Tungstenite030>(world.clone(), Arc::clone(&begun)),
        run::<TokioWebsockets013>(world.clone(), Arc::clone(&begun)),
    );
    over.store(true, SeqCst);
    let scrapes = scraping.join().unwrap();
    assert!(scrapes > 20, "{scrapes}");
    let counts = world.until(|counts| counts.connections() == 0).await;
    counts.assert_adds_up();
    assert_eq!((counts.queued(), counts.buffered()), ((0, 0), (0, 0)));
    let begun = begun.load(SeqCst);
    assert!(
        (begun..=begun + CLOSES).contains(&counts.attempted().0),
        "{begun} {counts:#?}"
    );
    for reason in [
        "cancelled",
        "closed",
        "connection_dropped",
        "evicted",
        "queue_full",
        "slow_consumer",
        "coalesced",
        "expired",
    ] {
        assert!(counts.dropped(reason).0 > 0, "no {reason} in {counts:#?}");
    }
}
