//! What is attempted is flushed, dropped, or waits: at every moment, whatever happens to connections.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use futures_util::StreamExt;
use tokio::{net::TcpStream, time::timeout};
use tower_vitals_ws::MeteredWebSocket;

use crate::{
    counts::{Amount, Counts, World},
    library::{Library, Said, TokioWebsockets013, Tungstenite029, Tungstenite030},
    wire::{client, frame, narrow, reset, write},
};

type Metered<L> = MeteredWebSocket<<L as Library>::Socket<TcpStream>>;

/// Of each message, so that bytes can be told from messages.
const BYTES: u64 = 1_000;
/// Of each library, one for each way to end.
const CONNECTIONS: usize = 9 * 8;

/// What the connections themselves know.
#[derive(Default)]
struct Truth {
    begun: AtomicU64,
    done: AtomicU64,
    /// What came out on the other side.
    came: AtomicU64,
    over: AtomicBool,
}

/// A message that is to be sent, from before anybody knows of it.
fn next<L: Library>(truth: &Truth) -> L::Message {
    truth.begun.fetch_add(1, SeqCst);
    L::message(&Said::Binary(vec![7; 1_000]))
}

async fn feed<L: Library>(socket: &mut Metered<L>, truth: &Truth) -> bool {
    let fed = socket.feed(next::<L>(truth)).await;
    truth.done.fetch_add(1, SeqCst);
    fed.is_ok()
}

/// Sends as long as it works, which is not for ever against a side that does not read.
async fn send_all<L: Library>(socket: &mut Metered<L>, truth: &Truth, most: u32) {
    for _ in 0..most {
        let sent = timeout(Duration::from_millis(50), socket.send(next::<L>(truth))).await;
        truth.done.fetch_add(1, SeqCst);
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// One connection, that ends in one of several ways.
async fn connection<L: Library>(world: World, truth: Arc<Truth>, way: usize) {
    let (server, mut peer) = narrow().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    match way {
        // Reads all, and closes.
        0 => {
            let mut peer = client(peer).await;
            let reader = tokio::spawn(async move {
                let mut came = 0;
                while came < 100
                    && peer
                        .next()
                        .await
                        .is_some_and(|message| message.is_ok_and(|message| message.is_binary()))
                {
                    came += 1;
                }
                let _ = peer.close(None).await;
                while peer.next().await.is_some() {}
                came
            });
            for _ in 0..100 {
                socket.send(next::<L>(&truth)).await.unwrap();
                truth.done.fetch_add(1, SeqCst);
            }
            while socket.recv().await.is_some() {}
            drop(socket);
            truth.came.fetch_add(reader.await.unwrap(), SeqCst);
        }
        // Never reads.
        1 => send_all::<L>(&mut socket, &truth, 10_000).await,
        2 => {
            feed::<L>(&mut socket, &truth).await;
            feed::<L>(&mut socket, &truth).await;
        }
        3 => {
            feed::<L>(&mut socket, &truth).await;
            resume_unwind(Box::new("on purpose"));
        }
        // Is aborted while it waits.
        4 => while feed::<L>(&mut socket, &truth).await {},
        5 => half_panics::<L>(socket, peer, &truth).await,
        6 => {
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                reset(peer);
            });
            send_all::<L>(&mut socket, &truth, 10_000).await;
            for _ in 0..5 {
                feed::<L>(&mut socket, &truth).await;
            }
        }
        7 => {
            let _ = timeout(Duration::from_millis(20), socket.finish()).await;
            feed::<L>(&mut socket, &truth).await;
        }
        // Breaks the protocol, and is still sent to.
        _ => {
            write(&mut peer, &frame(0x83, b"what")).await;
            while let Some(Ok(_)) = socket.recv().await {}
            send_all::<L>(&mut socket, &truth, 10_000).await;
        }
    }
}

async fn half_panics<L: Library>(socket: Metered<L>, mut peer: TcpStream, truth: &Arc<Truth>) {
    let (mut sender, mut receiver) = socket.split();
    let sent = Arc::clone(truth);
    let sending = tokio::spawn(async move {
        // As many as are accepted while nobody reads.
        for _ in 0..5 {
            sender.feed(next::<L>(&sent)).await.unwrap();
            sent.done.fetch_add(1, SeqCst);
        }
        resume_unwind(Box::new("on purpose"));
    });
    write(&mut peer, &frame(0x81, b"while it does")).await;
    receiver.recv().await.unwrap().unwrap();
    assert!(sending.await.unwrap_err().is_panic());
    drop(peer);
    while let Some(Ok(_)) = receiver.recv().await {}
}

/// Scrapes until all is over, and says how often.
fn scrape(world: &World, truth: &Truth) -> u64 {
    let mut last: Option<[Amount; 4]> = None;
    let mut scrapes = 0;
    while !truth.over.load(SeqCst) {
        let done = truth.done.load(SeqCst);
        let counts = world.counts();
        let begun = truth.begun.load(SeqCst);
        assert_whole(&counts);
        let (attempted, _) = counts.attempted();
        assert!((done..=begun).contains(&attempted), "{done} <= {attempted} <= {begun}");
        let now = [
            counts.attempted(),
            counts.flushed(),
            counts.all_dropped(),
            counts.received("text"),
        ];
        for (before, after) in last.into_iter().flatten().zip(now) {
            assert!(before.0 <= after.0 && before.1 <= after.1, "{before:?} fell to {after:?}");
        }
        last = Some(now);
        scrapes += 1;
    }
    scrapes
}

/// No part is more than the whole, and none has bytes of other messages than it counts.
fn assert_whole(counts: &Counts) {
    counts.assert_adds_up();
    for (messages, bytes) in [counts.attempted(), counts.flushed(), counts.all_dropped(), counts.buffered()] {
        assert_eq!(bytes, messages * BYTES, "{counts:#?}");
    }
}

async fn run<L: Library>(world: World, truth: Arc<Truth>) {
    let start = |way: usize| tokio::spawn(connection::<L>(world.clone(), Arc::clone(&truth), way % 9));
    let tasks: Vec<_> = (0..CONNECTIONS).map(|way| (way % 9, start(way))).collect();
    for (way, task) in tasks {
        if way == 4 {
            // It waits once all buffers are full.
            tokio::time::sleep(Duration::from_millis(5)).await;
            task.abort();
        }
        let ended = task.await;
        assert_eq!(ended.is_ok(), ![3, 4].contains(&way), "way {way}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_that_is_attempted_is_accounted_for_at_every_moment() {
    let world = World::new();
    let truth = Arc::new(Truth::default());
    let scraping = thread::spawn({
        let (world, truth) = (world.clone(), Arc::clone(&truth));
        move || scrape(&world, &truth)
    });
    tokio::join!(
        run::<Tungstenite029>(world.clone(), Arc::clone(&truth)),
        run::<Tungstenite030>(world.clone(), Arc::clone(&truth)),
        run::<TokioWebsockets013>(world.clone(), Arc::clone(&truth)),
    );
    truth.over.store(true, SeqCst);
    let scrapes = scraping.join().unwrap();
    let counts = world.until(|counts| counts.connections() == 0).await;
    assert!(scrapes > 20, "{scrapes}");
    assert_whole(&counts);
    let connections = 3 * CONNECTIONS as u64;
    assert_eq!(counts.buffered(), (0, 0), "{counts:#?}");
    assert_eq!(counts.attempted().0, truth.begun.load(SeqCst), "{counts:#?}");
    assert_eq!(counts.of_series("connection_duration_seconds_count"), connections);
    assert_ends(&counts, connections);
    for reason in ["cancelled", "closed", "connection_dropped", "io_error"] {
        assert!(counts.dropped(reason).0 > 0, "no {reason} in {counts:#?}");
    }
    assert_eq!(truth.came.load(SeqCst), 100 * connections / 9, "who reads all gets all");
    assert!(counts.flushed().0 >= truth.came.load(SeqCst));
}

/// Each connection ended once, as it did.
fn assert_ends(counts: &Counts, connections: u64) {
    let of = |end: &String| {
        let (what, count) = end.rsplit_once(' ').unwrap();
        (what.to_owned(), count.parse::<u64>().unwrap())
    };
    let ends: std::collections::BTreeMap<_, _> = counts.ends().iter().map(of).collect();
    assert_eq!(ends.values().sum::<u64>(), connections, "{ends:?}");
    let each = connections / 9;
    let expected = [
        ("remote close_frame none", each),
        ("local panicked none", 2 * each),
        ("remote protocol_error none", each),
    ];
    for (end, count) in expected {
        assert_eq!(ends.get(end), Some(&count), "{end} in {ends:?}");
    }
}
