//! How long connections live: heartbeats, and limits of idleness, age and pings.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::TcpStream,
    time::{Instant, advance, pause, resume, sleep},
};
use tokio_tungstenite030::tungstenite::Message;
use tower_vitals_ws::{CloseCode, Drain, Heartbeat, Limits, MeteredWebSocket};

use crate::{
    counts::World,
    echo::echo,
    library::{Library, Said, close, text},
    wire::{client, closing, codes, cramped, frame, frames, narrow, next_frame, rest, wire, write},
};

with_each_library!(
    an_answering_peer_stays_and_its_round_trips_are_measured,
    a_silent_peer_ends_with_its_heartbeat,
    any_sign_of_life_will_do,
    who_was_away_asks_before_it_gives_up,
    a_ping_that_found_no_room_leaves_when_there_is_some,
    heartbeats_do_not_keep_an_idle_connection,
    data_both_ways_keeps_it,
    a_connection_gets_no_older_than_it_may,
    what_closes_already_keeps_its_cause_and_is_not_waited_for_without_end,
    a_flood_of_pings_ends_it,
    a_flood_of_pings_from_a_peer_that_never_reads_ends_it,
    pings_within_reason_change_nothing,
    quality_follows_the_pongs,
);

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Pings each ten seconds, to be answered in five.
fn beating() -> Limits {
    Limits::new().heartbeat(Heartbeat::every(secs(10)).timeout(secs(5)))
}

/// What the application is given until there is no more.
pub(crate) async fn given<L: Library>(mut socket: MeteredWebSocket<L::Socket<TcpStream>>) -> Vec<Said> {
    let mut given = Vec::new();
    while let Some(Ok(message)) = socket.recv().await {
        given.push(L::said(message));
    }
    given
}

async fn an_answering_peer_stays_and_its_round_trips_are_measured<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let limits = Limits::new().heartbeat(Heartbeat::every(ms(100)).timeout(secs(10)));
    let socket = world.endpoint.meter(L::serve(server).await).limits(limits);
    let server = tokio::spawn(given::<L>(socket));
    let mut peer = client(peer).await;
    for _ in 0..3 {
        let ping = peer.next().await.unwrap().unwrap();
        assert!(matches!(&ping, Message::Ping(payload) if payload.len() == 8), "{ping:?}");
        peer.flush().await.unwrap();
    }
    let listed = world.until(|counts| counts.rtts() >= 3).await;
    assert_eq!((listed.heartbeat_timeouts(), listed.qualities()), (0, [1, 0, 0]));
    assert!(world.only().rtt.is_some_and(|rtt| rtt > Duration::ZERO));
    peer.send(Message::Pong("by itself".into())).await.unwrap();
    peer.close(None).await.unwrap();
    let expected = [Said::Pong(b"by itself".to_vec()), Said::Close(None)];
    assert_eq!(server.await.unwrap(), expected, "pongs of heartbeats are for nobody else");
    let counts = world.counts();
    let (pongs, _) = counts.received("pong");
    assert_eq!(counts.rtts(), pongs - 1, "{counts:#?}");
    let (pings, bytes) = counts.attempted();
    assert!(pings >= pongs - 1 && bytes == 8 * pings, "{counts:#?}");
    assert_eq!(counts.ends(), ["remote close_frame none 1"]);
    counts.assert_adds_up();
}

async fn a_silent_peer_ends_with_its_heartbeat<L: Library>() {
    let world = World::timed();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await).limits(beating());
    socket.send(L::message(&text("hello"))).await.unwrap();
    pause();
    let began = Instant::now();
    assert_eq!(given::<L>(socket).await, []);
    let took = began.elapsed();
    assert!(secs(11) <= took && took <= secs(17), "{took:?}");
    resume();
    let sent = rest(&mut peer).await;
    let kinds: Vec<_> = frames(&sent).iter().map(|(first, _)| *first).collect();
    assert_eq!(kinds, [0x81, 0x89, 0x88]);
    assert_eq!(codes(&sent), [1011]);
    let counts = world.counts();
    assert_eq!(counts.ends(), ["local heartbeat_timeout 1011 1"]);
    assert_eq!((counts.heartbeat_timeouts(), counts.rtts()), (1, 0));
    assert_eq!(counts.flushed(), counts.attempted());
    counts.assert_adds_up();
}

async fn any_sign_of_life_will_do<L: Library>() {
    let world = World::timed();
    let (server, mut peer) = wire().await;
    let limits = Limits::new().heartbeat(Heartbeat::every(ms(100)).timeout(secs(2)));
    let server = tokio::spawn(given::<L>(world.endpoint.meter(L::serve(server).await).limits(limits)));
    let until = Instant::now() + secs(3);
    while Instant::now() < until {
        write(&mut peer, &frame(0x81, b"here")).await;
        sleep(ms(50)).await;
    }
    let counts = world.counts();
    assert_eq!((counts.connections(), counts.heartbeat_timeouts(), counts.rtts()), (1, 0, 0));
    write(&mut peer, &closing(1000)).await;
    server.await.unwrap();
    assert_eq!(world.counts().ends(), ["remote close_frame 1000 1"]);
}

async fn who_was_away_asks_before_it_gives_up<L: Library>() {
    let world = World::timed();
    let (server, peer) = wire().await;
    let socket = world.endpoint.meter(L::serve(server).await).limits(beating());
    pause();
    advance(secs(100)).await;
    resume();
    let server = tokio::spawn(given::<L>(socket));
    let mut peer = client(peer).await;
    assert!(peer.next().await.unwrap().unwrap().is_ping());
    peer.flush().await.unwrap();
    world.until(|counts| counts.rtts() == 1).await;
    peer.close(None).await.unwrap();
    server.await.unwrap();
    let counts = world.counts();
    assert_eq!(
        (counts.ends(), counts.heartbeat_timeouts()),
        (vec!["remote close_frame none 1".to_owned()], 0)
    );
}

async fn a_ping_that_found_no_room_leaves_when_there_is_some<L: Library>() {
    let world = World::timed();
    let (server, peer) = narrow().await;
    let mut socket = world.endpoint.meter(L::serve(server).await).limits(beating());
    let large = text(&"x".repeat(900_000));
    // So that all know whether they can write.
    let _ = tokio::time::timeout(ms(20), socket.send(L::message(&large))).await;
    let server = tokio::spawn(given::<L>(socket));
    pause();
    // The ping is due, and there is no room: that alone is no reason to ask no more.
    advance(secs(10)).await;
    tokio::task::yield_now().await;
    resume();
    let mut peer = client(peer).await;
    let began = Instant::now();
    assert_eq!(peer.next().await.unwrap().unwrap().len(), 900_000);
    assert!(peer.next().await.unwrap().unwrap().is_ping());
    peer.flush().await.unwrap();
    world.until(|counts| counts.rtts() == 1).await;
    assert!(began.elapsed() < secs(4), "not the next one");
    peer.close(None).await.unwrap();
    server.await.unwrap();
    let counts = world.counts();
    assert_eq!(counts.ends(), ["remote close_frame none 1"]);
    counts.assert_adds_up();
}

async fn heartbeats_do_not_keep_an_idle_connection<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let limits = Limits::new()
        .heartbeat(Heartbeat::every(ms(100)).timeout(secs(10)))
        .idle_timeout(ms(700));
    let server = tokio::spawn(given::<L>(world.endpoint.meter(L::serve(server).await).limits(limits)));
    let mut peer = client(peer).await;
    let mut pings = 0;
    let last = loop {
        match peer.next().await.unwrap().unwrap() {
            Message::Ping(_) => pings += 1,
            other => break other,
        }
    };
    let Message::Close(Some(said)) = last else {
        panic!("{last:?}")
    };
    assert_eq!((u16::from(said.code), said.reason.as_str()), (1001, "idle"));
    assert!(pings >= 2, "{pings}");
    while peer.next().await.is_some() {}
    let given = server.await.unwrap();
    assert!(matches!(&given[..], [Said::Close(_)]), "{given:?}");
    let counts = world.counts();
    assert_eq!(counts.ends(), ["local idle_timeout 1001 1"]);
    assert!(counts.rtts() >= 1);
}

async fn data_both_ways_keeps_it<L: Library>() {
    for comes in [true, false] {
        let world = World::new();
        let (server, mut peer) = wire().await;
        let limits = Limits::new().idle_timeout(ms(1_600));
        let mut socket = world.endpoint.meter(L::serve(server).await).limits(limits);
        let server = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(ms(200));
            let mut sends = if comes { 0 } else { 14 };
            loop {
                tokio::select! {
                    biased;
                    _ = ticks.tick(), if sends > 0 => {
                        sends -= 1;
                        socket.send(L::message(&text("x"))).await.unwrap();
                    }
                    message = socket.recv() => if !matches!(message, Some(Ok(_))) { break },
                }
            }
        });
        let began = Instant::now();
        for _ in 0..14 {
            if comes {
                write(&mut peer, &frame(0x81, b"x")).await;
            }
            sleep(ms(200)).await;
        }
        assert_eq!(world.counts().connections(), 1, "something came: {comes}");
        while next_frame(&mut peer).await.0 != 0x88 {}
        assert!(began.elapsed() >= ms(14 * 200));
        write(&mut peer, &closing(1001)).await;
        server.await.unwrap();
        assert_eq!(world.counts().ends(), ["local idle_timeout 1001 1"]);
    }
}

async fn a_connection_gets_no_older_than_it_may<L: Library>() {
    let world = World::timed();
    let (server, mut peer) = wire().await;
    let limits = Limits::new().max_lifetime(secs(1_000));
    let mut socket = world.endpoint.meter(L::serve(server).await).limits(limits);
    socket.send(L::message(&text("hello"))).await.unwrap();
    pause();
    let began = Instant::now();
    assert_eq!(given::<L>(socket).await, []);
    let took = began.elapsed();
    assert!(secs(900) <= took && took <= secs(1_006), "{took:?}");
    resume();
    assert_eq!(codes(&rest(&mut peer).await), [1001]);
    assert_eq!(world.counts().ends(), ["local lifetime 1001 1"]);
}

async fn what_closes_already_keeps_its_cause_and_is_not_waited_for_without_end<L: Library>() {
    type Order = fn(&World);
    let reasons: [(Limits, Order); 5] = [
        (beating(), |_| {}),
        (Limits::new().idle_timeout(secs(10)), |_| {}),
        (Limits::new().max_lifetime(secs(10)), |_| {}),
        (Limits::new(), |world| {
            assert!(world.sockets().kick(world.only().id, CloseCode::NORMAL));
        }),
        (Limits::new(), |world| {
            let sockets = world.sockets();
            tokio::spawn(async move { sockets.drain(Drain::new()).await });
        }),
    ];
    for (limits, order) in reasons {
        let world = World::timed();
        let (server, mut peer) = wire().await;
        let mut socket = world.endpoint.meter(L::serve(server).await).limits(limits);
        socket.send(L::message(&close(4_000))).await.unwrap();
        pause();
        let began = Instant::now();
        order(&world);
        assert_eq!(given::<L>(socket).await, []);
        assert!(began.elapsed() <= secs(21), "{:?}", began.elapsed());
        resume();
        assert_eq!(codes(&rest(&mut peer).await), [4_000]);
        let counts = world.counts();
        assert_eq!(counts.ends(), ["local close_frame 4xxx 1"], "{limits:?}");
        assert_eq!(
            (counts.attempted(), counts.flushed(), counts.heartbeat_timeouts()),
            ((1, 2), (1, 2), 0)
        );
    }
}

/// So many thousand empty pings, as far as they are taken: how many thousand.
async fn flood(peer: &mut (impl tokio::io::AsyncWrite + Unpin), thousands: usize) -> usize {
    use tokio::io::AsyncWriteExt;
    let some = frame(0x89, b"").repeat(1_000);
    for taken in 0..thousands {
        if peer.write_all(&some).await.is_err() {
            return taken;
        }
    }
    thousands
}

async fn a_flood_of_pings_ends_it<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let server = tokio::spawn(given::<L>(world.endpoint.meter(L::serve(server).await).limits(Limits::new())));
    let (mut read, mut write) = peer.into_split();
    let began = Instant::now();
    let writing = tokio::spawn(async move { flood(&mut write, 1_000).await });
    let mut came = Vec::new();
    // Whoever does not stop is cut off in the end.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut came).await;
    let given = server.await.unwrap();
    writing.await.unwrap();
    assert_eq!(codes(&came), [1008]);
    let most = 101 + 10 * usize::try_from(began.elapsed().as_secs()).unwrap() + 10;
    assert!((100..=most).contains(&given.len()), "{}", given.len());
    let pongs = frames(&came).iter().filter(|(first, _)| *first == 0x8A).count();
    assert!(pongs <= most + 1, "{pongs}");
    let counts = world.counts();
    assert_eq!(counts.ends(), ["local ping_flood 1008 1"]);
    assert_eq!(counts.received("ping"), (given.len() as u64, 0));
}

async fn a_flood_of_pings_from_a_peer_that_never_reads_ends_it<L: Library>() {
    let world = World::new();
    let (server, mut peer) = cramped().await;
    let (mut sender, mut receiver) = world.endpoint.meter(L::serve(server).await).limits(Limits::new()).split();
    // One half waits for room, and has no timer of its own.
    let large = L::message(&text(&"x".repeat(900_000)));
    let sending = tokio::spawn(async move { sender.send(large).await.is_err() });
    world.until(|_| world.only().unsent.is_some()).await;
    let receiving = tokio::spawn(async move { while let Some(Ok(_)) = receiver.recv().await {} });
    tokio::time::timeout(secs(20), async {
        let taken = flood(&mut peer, 1_000).await;
        assert!(taken <= 15, "nobody reads on and keeps a pong for each: {taken}");
        receiving.await.unwrap();
        assert!(sending.await.unwrap());
    })
    .await
    .unwrap();
    let counts = world.counts();
    assert_eq!(counts.ends(), ["local ping_flood none 1"]);
    assert!((100..=400).contains(&counts.received("ping").0), "{counts:#?}");
    counts.assert_adds_up();
}

async fn pings_within_reason_change_nothing<L: Library>() {
    let world = World::timed();
    let (server, mut peer) = wire().await;
    let server = tokio::spawn(echo::<L>(world.endpoint.meter(L::serve(server).await).limits(Limits::new())));
    for round in 0..300_u16 {
        // Many at once, and then one each second.
        let pings = if round == 0 { 90 } else { 1 };
        write(&mut peer, &frame(0x89, b"12").repeat(pings)).await;
        for _ in 0..pings {
            assert_eq!(next_frame(&mut peer).await, (0x8A, b"12".to_vec()));
        }
        pause();
        advance(secs(1)).await;
        resume();
    }
    write(&mut peer, &frame(0x81, b"still there")).await;
    assert_eq!(next_frame(&mut peer).await.1, b"still there");
    write(&mut peer, &closing(1000)).await;
    server.await.unwrap();
    let counts = world.counts();
    assert_eq!(
        (counts.ends(), counts.received("ping")),
        (vec!["remote close_frame 1000 1".to_owned()], (389, 778))
    );
}

async fn quality_follows_the_pongs<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let limits = Limits::new().heartbeat(Heartbeat::every(ms(200)).timeout(secs(30)));
    let server = tokio::spawn(given::<L>(world.endpoint.meter(L::serve(server).await).limits(limits)));
    assert_eq!(world.counts().qualities(), [1, 0, 0]);
    world.until(|counts| counts.qualities() == [0, 1, 0]).await;
    world.until(|counts| counts.qualities() == [0, 0, 1]).await;
    // All that were missed are answered late, but the last.
    loop {
        let (first, payload) = next_frame(&mut peer).await;
        assert_eq!((first, payload.len()), (0x89, 8));
        write(&mut peer, &frame(0x8A, &payload)).await;
        sleep(ms(10)).await;
        if world.counts().qualities() == [1, 0, 0] {
            break;
        }
    }
    assert!(world.counts().rtts() >= 1);
    write(&mut peer, &closing(1000)).await;
    assert_eq!(server.await.unwrap().len(), 1);
    assert_eq!(world.counts().qualities(), [0, 0, 0]);
}
