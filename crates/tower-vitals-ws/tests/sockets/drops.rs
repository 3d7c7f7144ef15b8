//! What was to be sent and was not, by reason.

use std::{pin::pin, time::Duration};

use futures_util::{FutureExt, Sink, SinkExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite030::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};
use tower_vitals_ws::MeteredWebSocket;

use crate::{
    counts::World,
    library::{Library, Said, close, text},
    wire::{narrow, reset, rest, wire},
};

with_each_library!(
    a_send_that_nobody_waits_for_any_more_is_cancelled,
    what_was_accepted_is_not_cancelled,
    what_comes_after_a_close_is_closed,
    what_waits_when_the_socket_goes_is_dropped,
    what_waits_when_the_connection_breaks_is_lost,
    what_is_being_sent_when_the_connection_breaks_is_lost_once,
    nothing_is_sent_after_it_broke,
    sinks_count_what_they_are_given,
);

type Metered<L> = MeteredWebSocket<<L as Library>::Socket<TcpStream>>;

const BYTES: u64 = 900_000;

/// More than all buffers on the way hold that a side has which does not read.
fn big<L: Library>() -> L::Message {
    L::message(&Said::Binary(vec![7; 900_000]))
}

/// Leaves no room for more.
async fn fill<L: Library>(socket: &mut Metered<L>) {
    socket.feed(big::<L>()).await.unwrap();
}

async fn a_send_that_nobody_waits_for_any_more_is_cancelled<L: Library>() {
    let world = World::new();
    let (server, _peer) = narrow().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    fill::<L>(&mut socket).await;
    assert!(socket.feed(L::message(&text("soon"))).now_or_never().is_none());
    let late = timeout(Duration::from_millis(1), socket.send(L::message(&text("late")))).await;
    assert!(late.is_err(), "{late:?}");
    let counts = world.counts();
    assert_eq!(counts.dropped("cancelled"), (2, 8));
    assert_eq!(counts.attempted(), (3, BYTES + 8));
    assert_eq!((counts.flushed(), counts.buffered()), ((0, 0), (1, BYTES)));
    drop(socket);
    let counts = world.counts();
    assert_eq!(counts.dropped("connection_dropped"), (1, BYTES));
    assert_eq!(counts.buffered(), (0, 0));
    counts.assert_adds_up();
}

async fn what_was_accepted_is_not_cancelled<L: Library>() {
    let world = World::new();
    let (server, mut peer) = narrow().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    assert!(socket.send(big::<L>()).now_or_never().is_none());
    let counts = world.counts();
    assert_eq!((counts.buffered(), counts.all_dropped()), ((1, BYTES), (0, 0)));
    let reader = tokio::spawn(async move { rest(&mut peer).await });
    socket.flush().await.unwrap();
    let counts = world.counts();
    assert_eq!((counts.flushed(), counts.buffered()), ((1, BYTES), (0, 0)));
    drop(socket);
    assert!(
        reader.await.unwrap().len() > 900_000,
        "it came, although nobody waited for the send"
    );
}

async fn what_comes_after_a_close_is_closed<L: Library>() {
    let world = World::new();
    let (server, _peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    socket.send(L::message(&close(1000))).await.unwrap();
    socket.send(L::message(&text("late"))).await.unwrap_err();
    socket.feed(L::message(&Said::Ping(vec![1]))).await.unwrap_err();
    socket.send(L::message(&close(1000))).await.unwrap_err();
    let counts = world.counts();
    assert_eq!((counts.dropped("closed"), counts.dropped("closing")), ((2, 5), (1, 2)));
    assert_eq!(
        (counts.attempted(), counts.flushed(), counts.buffered()),
        ((4, 9), (1, 2), (0, 0))
    );
}

async fn what_waits_when_the_socket_goes_is_dropped<L: Library>() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    socket.send(L::message(&text("left"))).await.unwrap();
    for said in [text("one"), Said::Binary(vec![2; 20]), Said::Ping(vec![3; 5])] {
        socket.feed(L::message(&said)).await.unwrap();
    }
    assert_eq!(world.counts().buffered(), (3, 28));
    drop(socket);
    let counts = world.counts();
    assert_eq!((counts.flushed(), counts.dropped("connection_dropped")), ((1, 4), (3, 28)));
    assert_eq!(rest(&mut peer).await, b"\x81\x04left", "as the counts say");
}

async fn what_waits_when_the_connection_breaks_is_lost<L: Library>() {
    let world = World::new();
    let (server, peer) = narrow().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    fill::<L>(&mut socket).await;
    reset(peer);
    assert!(socket.flush().await.is_err());
    let counts = world.counts();
    assert_eq!(counts.dropped("io_error"), (1, BYTES));
    assert_eq!((counts.flushed(), counts.buffered()), ((0, 0), (0, 0)));
    drop(socket);
    assert_eq!(world.counts().ends(), ["remote reset none 1"]);
}

async fn what_is_being_sent_when_the_connection_breaks_is_lost_once<L: Library>() {
    let world = World::new();
    let (server, peer) = narrow().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    fill::<L>(&mut socket).await;
    {
        let mut sending = pin!(socket.send(L::message(&text("late"))));
        assert!(sending.as_mut().now_or_never().is_none());
        let counts = world.counts();
        assert_eq!(counts.buffered(), (2, BYTES + 4), "it waits too");
        reset(peer);
        sending.await.unwrap_err();
    }
    let counts = world.counts();
    assert_eq!(counts.dropped("io_error"), (2, BYTES + 4));
    assert_eq!(counts.buffered(), (0, 0));
    counts.assert_adds_up();
}

async fn nothing_is_sent_after_it_broke<L: Library>() {
    let world = World::new();
    let (server, peer) = wire().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    reset(peer);
    let mut flushed = 0;
    while socket.send(L::message(&text("late"))).await.is_ok() {
        flushed += 1;
    }
    for _ in 0..3 {
        // Some libraries still accept it.
        let _ = socket.feed(L::message(&text("later"))).await;
    }
    let counts = world.counts();
    assert_eq!((counts.flushed().0, counts.buffered().0), (flushed, 0));
    assert_eq!((counts.dropped("io_error").0, counts.dropped("closed").0), (1, 3));
    counts.assert_adds_up();
}

async fn sinks_count_what_they_are_given<L: Library>() {
    /// Through the traits, as generic code does it.
    async fn send<M, E: std::fmt::Debug>(mut sink: impl Sink<M, Error = E> + Unpin, messages: [M; 3]) {
        let [one, two, three] = messages;
        SinkExt::send(&mut sink, one).await.unwrap();
        SinkExt::feed(&mut sink, two).await.unwrap();
        SinkExt::feed(&mut sink, three).await.unwrap();
    }
    let world = World::new();
    let (server, _peer) = narrow().await;
    let mut socket = world.endpoint.meter(L::serve(server).await);
    send(&mut socket, ["a", "bb", "ccc"].map(|said| L::message(&text(said)))).await;
    let counts = world.counts();
    assert_eq!(
        (counts.attempted(), counts.flushed(), counts.buffered()),
        ((3, 6), (1, 1), (2, 5))
    );
    fill::<L>(&mut socket).await;
    let before = world.counts();
    assert!(SinkExt::send(&mut socket, L::message(&text("late"))).now_or_never().is_none());
    assert_eq!(world.counts().attempted(), before.attempted(), "who holds it is no socket");
    SinkExt::close(&mut socket).now_or_never();
    assert_eq!(world.counts().buffered(), (3, BYTES + 5));
}

#[tokio::test]
async fn a_full_write_buffer_takes_no_more_and_the_connection_goes_on() {
    let world = World::new();
    let (server, mut peer) = wire().await;
    let config = WebSocketConfig::default()
        .write_buffer_size(1_000)
        .max_write_buffer_size(2_000);
    let inner = WebSocketStream::from_raw_socket(server, Role::Server, Some(config)).await;
    let mut socket = world.endpoint.meter(inner);
    socket.send(Message::binary(vec![1; 2_500])).await.unwrap_err();
    assert_eq!(world.counts().dropped("write_buffer_full"), (1, 2_500));
    socket.send(Message::text("small")).await.unwrap();
    drop(socket);
    let counts = world.counts();
    assert_eq!((counts.attempted(), counts.flushed()), ((2, 2_505), (1, 5)));
    assert_eq!(counts.ends(), ["local dropped none 1"]);
    assert_eq!(rest(&mut peer).await, b"\x81\x05small");
}
