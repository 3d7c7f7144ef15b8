//! A metered socket behaves as the one in it: the same results, and the same bytes on the wire.

use std::{fmt::Debug, future::poll_fn, pin::Pin, task::Poll};

use futures_util::{FutureExt, SinkExt, Stream, StreamExt, stream::FusedStream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::TcpStream,
    task::unconstrained,
};
use tower_vitals_ws::{Outbox, Socket, WsError};

use crate::{
    counts::World,
    library::{Library, Said, close, text},
    wire::{GIANT, UNMASKED, closing, frame, reset, rest, wire, write},
};

with_each_library!(
    the_same_happens_over_tcp,
    the_same_comes_through_an_outbox,
    the_same_is_polled,
    what_is_generic_takes_either,
);

/// What is done with a connection, one after the other.
#[derive(Clone, Debug)]
enum Step {
    /// The other side writes.
    Comes(Vec<u8>),
    /// It will write no more, and reads.
    HalfClose,
    /// It resets the connection.
    Reset,
    Recv,
    Send(Said),
    Feed(Said),
    Flush,
    /// Through `Sink`, as long as the other side has written its part.
    Close,
    /// Receives until nothing comes any more.
    Drain,
}

use Step::{Close, Comes, Drain, Feed, Flush, HalfClose, Recv, Reset, Send};

fn scripts() -> Vec<Vec<Step>> {
    let hello = || frame(0x81, b"hello");
    let say = || Send(text("said"));
    let pieces = || {
        [
            frame(0x01, b"a"),
            frame(0x89, b"between"),
            frame(0x00, b"b"),
            frame(0x80, b"c"),
        ]
        .concat()
    };
    vec![
        vec![Comes(hello()), Recv, say(), Comes(closing(1000)), Recv, Recv, Recv],
        vec![Comes(pieces()), Recv, Recv, say(), HalfClose, Recv, Recv],
        vec![
            Comes(frame(0x82, &[0; 60_000])),
            Recv,
            Send(Said::Binary(vec![1; 60_000])),
            Flush,
            HalfClose,
            Drain,
        ],
        vec![
            Feed(text("a")),
            Feed(Said::Ping(vec![1])),
            Feed(Said::Pong(vec![2])),
            Flush,
            HalfClose,
            Drain,
        ],
        vec![Comes(GIANT.to_vec()), Recv, Recv, say(), Flush, Close],
        vec![Comes(frame(0x81, b"\xFF")), Recv, Recv, say(), Close],
        vec![Comes(frame(0x83, b"?")), Recv, Recv, say(), Close, say()],
        vec![Comes(frame(0x8B, b"?")), Recv, Recv, Close],
        vec![Comes(UNMASKED.to_vec()), Recv, Recv, say(), Flush],
        vec![Comes(frame(0xC1, b"?")), Recv, Drain],
        vec![Comes(frame(0x88, b"1")), Recv, Drain],
        vec![Comes(closing(999)), Recv, Drain],
        vec![Comes(frame(0x88, b"")), Recv, say(), Send(close(1000)), Drain, Close],
        vec![HalfClose, Recv, Recv, say(), Flush, Close],
        vec![Feed(text("waits")), HalfClose, Recv, Flush, Close],
        vec![Reset, Recv, Recv, Flush],
        vec![Comes(hello()), Recv, Reset, Recv, say(), Flush, Recv],
        vec![
            Send(close(1001)),
            say(),
            Send(close(1000)),
            Comes(closing(1001)),
            Recv,
            Recv,
            Close,
            Flush,
        ],
        vec![Comes([hello(), closing(4000)].concat()), Close, Close, Drain, say()],
        vec![Comes(vec![0x81, 0x85]), HalfClose, Recv, Recv],
        vec![say()],
        vec![Feed(text("never leaves"))],
    ]
}

/// What each step gave, and the bytes that came to the other side.
async fn play<L: Library, S>(mut socket: S, peer: TcpStream, script: &[Step]) -> (Vec<String>, Vec<u8>)
where
    S: Socket<Message = L::Message, Error = L::Error>,
{
    let (mut results, mut peer) = (Vec::new(), Some(peer));
    for step in script {
        let result = match step.clone() {
            Comes(bytes) => shown(peer.as_mut().unwrap().write_all(&bytes).await),
            HalfClose => shown(peer.as_mut().unwrap().shutdown().await),
            Reset => shown(peer.take().map(reset)),
            Recv => received::<L>(socket.next().await),
            Send(said) => shown(SinkExt::send(&mut socket, L::message(&said)).await),
            Feed(said) => shown(SinkExt::feed(&mut socket, L::message(&said)).await),
            Flush => shown(SinkExt::flush(&mut socket).await),
            Close => shown(SinkExt::close(&mut socket).await),
            Drain => {
                let mut all = Vec::new();
                while let Some(next) = socket.next().await {
                    all.push(received::<L>(Some(next)));
                }
                shown(all)
            }
        };
        results.push(format!("{step:.40?}: {result}"));
    }
    drop(socket);
    match &mut peer {
        Some(peer) => (results, rest(peer).await),
        None => (results, Vec::new()),
    }
}

fn shown(result: impl Debug) -> String {
    format!("{result:?}")
}

fn received<L: Library>(next: Option<Result<L::Message, L::Error>>) -> String {
    shown(next.map(|next| next.map(L::said)))
}

async fn the_same_happens_over_tcp<L: Library>() {
    let world = World::new();
    for script in scripts() {
        let (server, peer) = wire().await;
        let bare = play::<L, _>(L::serve(server).await, peer, &script).await;
        let (server, peer) = wire().await;
        let metered = play::<L, _>(world.endpoint.meter(L::serve(server).await), peer, &script).await;
        assert_eq!(metered, bare, "{script:?}");
    }
    let counts = world.counts();
    counts.assert_adds_up();
    assert_eq!(counts.of_series("connection_duration_seconds_count"), scripts().len() as u64);
}

/// What each step gives that has to do with what comes, and the bytes that the library sends by itself.
async fn hear<L: Library, S>(mut socket: S, peer: TcpStream, script: &[Step]) -> (Vec<String>, Vec<u8>)
where
    S: Stream<Item = Result<L::Message, L::Error>> + Unpin,
{
    let (mut results, mut peer) = (Vec::new(), Some(peer));
    for step in script {
        let most = match step.clone() {
            Comes(bytes) => {
                peer.as_mut().unwrap().write_all(&bytes).await.unwrap();
                continue;
            }
            HalfClose => {
                peer.as_mut().unwrap().shutdown().await.unwrap();
                continue;
            }
            Reset => {
                reset(peer.take().unwrap());
                continue;
            }
            Recv => 1,
            Drain => usize::MAX,
            Send(_) | Feed(_) | Flush | Close => continue,
        };
        for _ in 0..most {
            let next = socket.next().await;
            let is_end = next.is_none();
            results.push(received::<L>(next));
            if is_end {
                break;
            }
        }
    }
    drop(socket);
    match &mut peer {
        Some(peer) => (results, rest(peer).await),
        None => (results, Vec::new()),
    }
}

async fn the_same_comes_through_an_outbox<L: Library>() {
    let world = World::new();
    for script in scripts() {
        let (server, peer) = wire().await;
        let bare = hear::<L, _>(L::serve(server).await, peer, &script).await;
        let (server, peer) = wire().await;
        let (_sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(Outbox::new());
        let by_outbox = hear::<L, _>(socket, peer, &script).await;
        assert_eq!(by_outbox, bare, "{script:?}");
    }
    let counts = world.counts();
    counts.assert_adds_up();
    assert_eq!(counts.of_series("connection_duration_seconds_count"), scripts().len() as u64);
}

/// What one look at each side of a socket gives, over a pipe that holds 4,000 bytes.
async fn looks<L: Library, S>(mut socket: S, mut peer: DuplexStream) -> Vec<String>
where
    S: Socket<Message = L::Message, Error = L::Error>,
{
    let mut results = Vec::new();
    let mut note = |what: &str, result: String| results.push(format!("{what}: {result:.200}"));
    for round in 0..12 {
        for _ in 0..3 {
            let ready = poll_fn(|cx| Poll::Ready(Pin::new(&mut socket).poll_ready(cx))).await;
            note("ready", shown(&ready));
            if ready.is_ready() {
                let message = L::message(&Said::Binary(vec![round; 100_000]));
                note("start", shown(Pin::new(&mut socket).start_send(message)));
            }
        }
        note(
            "flush",
            shown(poll_fn(|cx| Poll::Ready(Pin::new(&mut socket).poll_flush(cx))).await),
        );
        if round == 3 {
            peer.write_all(&[frame(0x81, b"hello"), frame(0x89, b"ping")].concat())
                .await
                .unwrap();
        }
        if round == 8 {
            peer.write_all(&closing(1000)).await.unwrap();
        }
        let next = poll_fn(|cx| Poll::Ready(Pin::new(&mut socket).poll_next(cx))).await;
        note("next", shown(next.map(received::<L>)));
        let mut bytes = vec![0; 150_000];
        let mut read = 0;
        // Not more than fits: the rest comes in the next round.
        while let Some(more @ 1..) = peer.read(&mut bytes[read..]).now_or_never().map(Result::unwrap) {
            read += more;
            let _ = poll_fn(|cx| Poll::Ready(Pin::new(&mut socket).poll_flush(cx))).await;
        }
        note(
            "read",
            shown((read, bytes[..read].iter().map(|byte| u64::from(*byte)).sum::<u64>())),
        );
    }
    note(
        "close",
        shown(poll_fn(|cx| Poll::Ready(Pin::new(&mut socket).poll_close(cx))).await),
    );
    results
}

async fn the_same_is_polled<L: Library>() {
    // A budget that runs out would make either wait at another time.
    let (io, peer) = tokio::io::duplex(4_000);
    let bare = unconstrained(looks::<L, _>(L::serve(io).await, peer)).await;
    let world = World::new();
    let (io, peer) = tokio::io::duplex(4_000);
    let metered = unconstrained(looks::<L, _>(world.endpoint.meter(L::serve(io).await), peer)).await;
    assert_eq!(metered, bare);
    for (what, result) in [
        ("ready", "Pending"),
        ("ready", "Ready(Ok(()))"),
        ("flush", "Pending"),
        ("next", "Pending"),
    ] {
        let line = format!("{what}: {result}");
        assert!(bare.contains(&line), "{line} in {bare:#?}");
    }
    world.counts().assert_adds_up();
}

async fn what_is_generic_takes_either<L: Library>() {
    /// As an adaptor would be that knows of streams and sinks.
    async fn forward<S: Socket<Error: WsError + Debug>>(socket: S) {
        let (sink, stream) = StreamExt::split(socket);
        stream.forward(sink).await.unwrap();
    }
    let world = World::new();
    let (server, mut peer) = wire().await;
    let server = tokio::spawn(forward(world.endpoint.meter(L::serve(server).await)));
    write(&mut peer, &frame(0x81, b"hello")).await;
    let mut back = [0; 7];
    peer.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"\x81\x05hello");
    write(&mut peer, &frame(0x82, b"1")).await;
    peer.read_exact(&mut back[..3]).await.unwrap();
    server.abort();
    let _ = server.await;
    let counts = world.counts();
    assert_eq!(
        (counts.attempted(), counts.received("text"), counts.connections()),
        ((2, 6), (1, 5), 0)
    );
    counts.assert_adds_up();
}

/// A stream that knows that it ended says so.
#[tokio::test]
async fn the_end_is_fused() {
    use crate::library::Tungstenite030;
    let world = World::new();
    let (server, mut peer) = wire().await;
    let mut socket = world.endpoint.meter(Tungstenite030::serve(server).await);
    assert!(!socket.is_terminated());
    write(&mut peer, &closing(1000)).await;
    while socket.next().await.is_some() {}
    assert!(socket.is_terminated() && socket.get_ref().is_terminated());
    assert!(socket.next().await.is_none());
}
