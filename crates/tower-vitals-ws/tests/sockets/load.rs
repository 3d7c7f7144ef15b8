//! Halves in two tasks, with all limits and little room, again and again.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_tungstenite030::tungstenite::Message;
use tower_vitals_ws::{CloseCode, Failure, Heartbeat, Limits, WsError};

use crate::{
    counts::World,
    library::{Library, Said, text},
    life::{ms, secs},
    wire::{client, narrow},
};

const RUNS: u64 = 200;

/// What each side sends, and how large that is.
const MESSAGES: usize = 40;
const SIZE: usize = 6_000;

/// So long a run may take, at any load.
const LIMIT: Duration = Duration::from_secs(60);

async fn halves_never_hang<L: Library>() {
    let mut runs = JoinSet::new();
    for run in 0..RUNS {
        if runs.len() >= 25 {
            runs.join_next().await.unwrap().unwrap();
        }
        runs.spawn(async move {
            let done = timeout(LIMIT, async {
                if run % 2 == 0 {
                    to_the_end::<L>(run).await;
                } else {
                    until_kicked::<L>(run).await;
                }
            });
            done.await.unwrap_or_else(|_| panic!("run {run} hangs"));
        });
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

fn limits() -> Limits {
    Limits::new()
        .heartbeat(Heartbeat::every(ms(100)).timeout(secs(50)))
        .idle_timeout(secs(50))
        .max_lifetime(secs(500))
}

/// Both sides send all that they have, and the peer closes.
async fn to_the_end<L: Library>(run: u64) {
    let world = World::new();
    let (server, peer) = narrow().await;
    let (mut sender, mut receiver) = world.endpoint.meter(L::serve(server).await).limits(limits()).split();
    let sending = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            sender.send(L::message(&text(&"o".repeat(SIZE)))).await.unwrap();
        }
    });
    let receiving = tokio::spawn(async move {
        let mut came = 0;
        while let Some(Ok(message)) = receiver.recv().await {
            came += usize::from(matches!(L::said(message), Said::Text(_)));
        }
        came
    });
    let (mut write, mut read) = client(peer).await.split();
    let writing = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            write.send(Message::text("i".repeat(SIZE))).await.unwrap();
        }
        write
    });
    let mut came = 0;
    while came < MESSAGES {
        came += usize::from(read.next().await.unwrap().unwrap().is_text());
        sleep(ms(run % 4)).await;
    }
    let mut write = writing.await.unwrap();
    write.send(Message::Close(None)).await.unwrap();
    while read.next().await.is_some() {}
    assert_eq!(receiving.await.unwrap(), MESSAGES);
    sending.await.unwrap();
    let counts = world.counts();
    assert_eq!(counts.ends(), ["remote close_frame none 1"]);
    assert_eq!(counts.received("text"), (MESSAGES as u64, (MESSAGES * SIZE) as u64));
    counts.assert_adds_up();
}

/// The server sends without end and is told to stop, while its peer reads slowly or not at all until then.
async fn until_kicked<L: Library>(run: u64) {
    let world = World::new();
    let (server, peer) = narrow().await;
    let (mut sender, mut receiver) = world.endpoint.meter(L::serve(server).await).limits(limits()).split();
    let sending = tokio::spawn(async move {
        loop {
            if let Err(error) = sender.send(L::message(&text(&"o".repeat(SIZE)))).await {
                return error.failure();
            }
        }
    });
    let receiving = tokio::spawn(async move { while let Some(Ok(_)) = receiver.recv().await {} });
    let mut peer = client(peer).await;
    sleep(ms(run % 150)).await;
    assert!(world.sockets().kick(world.only().id, CloseCode::TRY_AGAIN_LATER));
    let mut said = None;
    while let Some(Ok(message)) = peer.next().await {
        if let Message::Close(frame) = message {
            said = frame.map(|frame| u16::from(frame.code));
        }
    }
    assert_eq!(said, Some(1013), "run {run}");
    assert_eq!(sending.await.unwrap(), Failure::Closed);
    receiving.await.unwrap();
    let counts = world.counts();
    assert_eq!(counts.ends(), ["local kicked 1013 1"]);
    counts.assert_adds_up();
}

macro_rules! in_threads {
    ($($name:ident: $library:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                halves_never_hang::<crate::library::$library>().await;
            }
        )+
    };
}

in_threads!(
    halves_of_tungstenite029_never_hang: Tungstenite029,
    halves_of_tungstenite030_never_hang: Tungstenite030,
    halves_of_tokio_websockets013_never_hang: TokioWebsockets013,
);
