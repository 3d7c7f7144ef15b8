//! For each policy: what is attempted is flushed, dropped, or waits, at every moment, whatever happens to 207 connections.

use std::{
    mem,
    panic::resume_unwind,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use futures_util::StreamExt;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tower_vitals_ws::{CloseCode, ConnectionId, Heartbeat, Limits, Outbox, OutboxSender, OutboxSocket, Outgoing, Overflow};

use crate::{
    counts::{Counts, World},
    library::{Library, Said, TokioWebsockets013, Tungstenite029, Tungstenite030},
    wire::{client, narrow, reset},
};

/// Of each message, so that bytes can be told from messages.
const BYTES: u64 = 1_000;
/// Of each library.
const CONNECTIONS: usize = 69;
const MESSAGES: u64 = 200;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    Block,
    DropNewest,
    DropOldest,
    KeepLatest,
    DisconnectSlow,
}

impl Policy {
    fn outbox<M>(self) -> Outbox<M> {
        let overflow = match self {
            Self::Block => Overflow::Block {
                timeout: Duration::from_millis(5),
            },
            Self::DropNewest => Overflow::DropNewest,
            Self::DropOldest | Self::KeepLatest => Overflow::DropOldest,
            Self::DisconnectSlow => Overflow::DisconnectSlow {
                code: CloseCode::TRY_AGAIN_LATER,
                grace: Duration::from_millis(5),
            },
        };
        Outbox::new().max_messages(16).overflow(overflow)
    }

    /// What it is that only this policy drops.
    fn reason(self) -> &'static str {
        match self {
            Self::Block => "send_timeout",
            Self::DropNewest => "queue_full",
            Self::DropOldest => "evicted",
            Self::KeepLatest => "coalesced",
            Self::DisconnectSlow => "slow_consumer",
        }
    }
}

/// What the senders themselves know.
#[derive(Default)]
struct Truth {
    begun: AtomicU64,
    done: AtomicU64,
    /// Connections that are to be kicked.
    waiting: Mutex<Vec<ConnectionId>>,
    over: AtomicBool,
}

/// Sends until it has sent all, also when the connection is over meanwhile.
async fn produce<L: Library>(policy: Policy, sender: OutboxSender<L::Message>, truth: Arc<Truth>) {
    for number in 0..MESSAGES {
        let message = Outgoing::new(L::message(&Said::Binary(vec![7; 1_000])));
        let message = match policy {
            Policy::KeepLatest => message.latest(number % 8),
            _ => message,
        };
        truth.begun.fetch_add(1, SeqCst);
        let _ = sender.send(message).await;
        truth.done.fetch_add(1, SeqCst);
        if number % 32 == 0 {
            tokio::task::yield_now().await;
        }
    }
}

async fn until_the_end<L: Library>(socket: &mut OutboxSocket<L::Socket<TcpStream>>) {
    while socket.recv().await.is_some() {}
}

/// How connections end.
const WAYS: usize = 8;

/// One connection, that ends in one of several ways. Only the first of them reads.
async fn connection<L: Library>(world: World, policy: Policy, way: usize, truth: Arc<Truth>) {
    let (server, peer) = narrow().await;
    let socket = world.endpoint.meter(L::serve(server).await);
    let socket = match way {
        1 => socket
            .limits(Limits::new().heartbeat(Heartbeat::every(Duration::from_millis(100)).timeout(Duration::from_millis(50)))),
        _ => socket,
    };
    let (sender, mut socket) = socket.outbox(policy.outbox());
    let mut producers = JoinSet::new();
    producers.spawn(produce::<L>(policy, sender.clone(), Arc::clone(&truth)));
    producers.spawn(produce::<L>(policy, sender.clone(), Arc::clone(&truth)));
    let some = Duration::from_millis(10);
    match way {
        // It is read, and closed when all was sent.
        0 => {
            let mut peer = client(peer).await;
            let reading = tokio::spawn(async move { while peer.next().await.is_some_and(|message| message.is_ok()) {} });
            let sent = async { while producers.join_next().await.is_some() {} };
            tokio::select! {
                () = until_the_end::<L>(&mut socket) => {}
                () = sent => {
                    let _ = timeout(Duration::from_secs(20), socket.finish()).await.unwrap();
                }
            }
            drop(socket);
            reading.await.unwrap();
        }
        // Times out, or is disconnected for being slow.
        1 => until_the_end::<L>(&mut socket).await,
        // Is kicked.
        2 => {
            truth.waiting.lock().unwrap().push(socket.id());
            until_the_end::<L>(&mut socket).await;
        }
        3 => drop(timeout(some, socket.recv()).await),
        4 => {
            let _ = timeout(some, socket.recv()).await;
            resume_unwind(Box::new("on purpose"));
        }
        // Is aborted.
        5 => std::future::pending().await,
        6 => {
            let (mut receiver, driver) = socket.split();
            let driving = tokio::spawn(driver);
            let _ = timeout(some, receiver.recv()).await;
            driving.abort();
        }
        _ => {
            let _ = timeout(some, socket.recv()).await;
            reset(peer);
            until_the_end::<L>(&mut socket).await;
        }
    }
    while producers.join_next().await.is_some() {}
}

async fn run<L: Library>(world: World, policy: Policy, truth: Arc<Truth>) {
    let start = |way| tokio::spawn(connection::<L>(world.clone(), policy, way, Arc::clone(&truth)));
    let tasks: Vec<_> = (0..CONNECTIONS).map(|number| (number % WAYS, start(number % WAYS))).collect();
    for (way, task) in tasks {
        if way == 5 {
            task.abort();
        }
        let ended = task.await;
        assert_eq!(ended.is_ok(), ![4, 5].contains(&way), "way {way}: {ended:?}");
    }
}

/// Closes those that nobody else would.
async fn kick(world: &World, truth: &Truth) {
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let waiting = mem::take(&mut *truth.waiting.lock().unwrap());
        for id in waiting {
            world.sockets().kick(id, CloseCode::POLICY);
        }
    }
}

/// Scrapes until all is over, and says how often.
fn scrape(world: &World, truth: &Truth) -> u64 {
    let mut last = [(0, 0); 3];
    let mut scrapes = 0;
    while !truth.over.load(SeqCst) {
        let done = truth.done.load(SeqCst);
        let counts = world.counts();
        let begun = truth.begun.load(SeqCst);
        assert_whole(&counts);
        assert!(
            counts.of_series("queue_depth") <= 16 * 3 * CONNECTIONS as u64 + begun - done,
            "{counts:#?}"
        );
        let now = [counts.attempted(), counts.flushed(), counts.all_dropped()];
        for (before, after) in last.iter().zip(&now) {
            assert!(before.0 <= after.0 && before.1 <= after.1, "{before:?} fell to {after:?}");
        }
        // Beside these there are pings and closing messages.
        let own = 1_000;
        let attempted = counts.attempted().0;
        assert!((done..=begun + own).contains(&attempted), "{done} <= {attempted} <= {begun}");
        last = now;
        scrapes += 1;
    }
    scrapes
}

/// What waits in outboxes is nothing but messages of the senders, and what closes.
fn assert_whole(counts: &Counts) {
    counts.assert_adds_up();
    let (messages, bytes) = counts.queued();
    let closing = 3 * CONNECTIONS as u64;
    assert!(
        bytes <= messages * BYTES && bytes + closing * BYTES >= messages * BYTES,
        "{counts:#?}"
    );
}

async fn holds(policy: Policy) {
    let world = World::new();
    let truth = Arc::new(Truth::default());
    let scraping = thread::spawn({
        let (world, truth) = (world.clone(), Arc::clone(&truth));
        move || scrape(&world, &truth)
    });
    let all = async {
        tokio::join!(
            run::<Tungstenite029>(world.clone(), policy, Arc::clone(&truth)),
            run::<Tungstenite030>(world.clone(), policy, Arc::clone(&truth)),
            run::<TokioWebsockets013>(world.clone(), policy, Arc::clone(&truth)),
        )
    };
    tokio::select! {
        ((), (), ()) = all => {}
        () = kick(&world, &truth) => {}
    }
    truth.over.store(true, SeqCst);
    let scrapes = scraping.join().unwrap();
    let counts = world.until(|counts| counts.connections() == 0).await;
    assert!(scrapes > 20, "{scrapes}");
    assert_whole(&counts);
    assert_eq!((counts.queued(), counts.buffered()), ((0, 0), (0, 0)), "{counts:#?}");
    assert!(counts.attempted().0 >= truth.begun.load(SeqCst), "{counts:#?}");
    for reason in [policy.reason(), "closed", "connection_dropped"] {
        assert!(counts.dropped(reason).0 > 0, "no {reason} in {counts:#?}");
    }
    assert_ends(policy, &counts);
}

/// Each connection ended once, and some in each way that there is.
fn assert_ends(policy: Policy, counts: &Counts) {
    let ends = counts.ends();
    let count = |end: &String| end.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
    assert_eq!(ends.iter().map(count).sum::<usize>(), 3 * CONNECTIONS, "{ends:?}");
    let expected: &[&str] = match policy {
        // Who does not read does not stay for long enough to be asked, or kicked.
        Policy::DisconnectSlow => &["slow_consumer", "panicked", "dropped"],
        _ => &["heartbeat_timeout", "kicked", "close_frame", "panicked", "dropped", "reset"],
    };
    for cause in expected {
        assert!(
            ends.iter().any(|end| end.split(' ').nth(1) == Some(cause)),
            "no {cause} in {ends:?}"
        );
    }
}

macro_rules! for_each_policy {
    ($($test:ident: $policy:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                holds(Policy::$policy).await;
            }
        )+
    };
}

for_each_policy!(
    it_adds_up_when_senders_wait: Block,
    it_adds_up_when_the_newest_is_dropped: DropNewest,
    it_adds_up_when_the_oldest_is_dropped: DropOldest,
    it_adds_up_when_only_the_latest_is_kept: KeepLatest,
    it_adds_up_when_the_slow_are_disconnected: DisconnectSlow,
);
