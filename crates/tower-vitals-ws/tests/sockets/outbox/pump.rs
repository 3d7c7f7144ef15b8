//! When what waits is sent, and at what price.

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite030::tungstenite::Message;
use tower_vitals_ws::{Outbox, OutboxSender, OutboxSocket, Overflow, SendErrorKind};

use crate::{
    counts::World,
    library::{Library, Said, text},
    wire::{Client, client, narrow, reset, wire},
};

with_each_library!(
    what_the_handler_sends_wakes_nobody,
    what_others_send_wakes_it_once,
    what_is_sent_together_leaves_together,
    reading_without_end_does_not_keep_back_what_waits,
    sending_without_end_does_not_keep_others_from_it,
    a_handler_that_answers_makes_room_itself,
    a_handler_that_answers_hears_what_failed,
    a_handler_that_only_sends_is_heard,
);

/// A connection that counts how often it is written to.
#[derive(Debug)]
struct Counted {
    inner: TcpStream,
    writes: Arc<AtomicU64>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, SeqCst);
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, SeqCst);
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// How often a task would be polled. Once it is woken, to wake it again changes nothing.
#[derive(Default)]
struct Wakes {
    is_awake: AtomicBool,
    count: AtomicU64,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        if !self.is_awake.swap(true, SeqCst) {
            self.count.fetch_add(1, SeqCst);
        }
    }
}

type Socket<L> = OutboxSocket<<L as Library>::Socket<Counted>>;

/// A socket that is polled by hand.
struct Bench<L: Library> {
    world: World,
    sender: OutboxSender<L::Message>,
    socket: Socket<L>,
    peer: Client,
    writes: Arc<AtomicU64>,
    wakes: Arc<Wakes>,
}

impl<L: Library> Bench<L> {
    async fn new() -> Self {
        let world = World::new();
        let (server, peer) = wire().await;
        let writes = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            inner: server,
            writes: Arc::clone(&writes),
        };
        let settings = Outbox::new().max_messages(10_000);
        let (sender, socket) = world.endpoint.meter(L::serve(counted).await).outbox(settings);
        Self {
            world,
            sender,
            socket,
            peer: client(peer).await,
            writes,
            wakes: Arc::default(),
        }
    }

    fn poll(&mut self) -> Poll<Option<L::Message>> {
        self.wakes.is_awake.store(false, SeqCst);
        let waker = Waker::from(Arc::clone(&self.wakes));
        let next = self.socket.poll_next_unpin(&mut Context::from_waker(&waker));
        next.map(|next| next.map(Result::unwrap))
    }

    fn wakes(&self) -> u64 {
        self.wakes.count.load(SeqCst)
    }
}

async fn what_the_handler_sends_wakes_nobody<L: Library>() {
    let mut bench = Bench::<L>::new().await;
    for round in 0..20_u64 {
        assert!(bench.poll().is_pending());
        assert_eq!(bench.wakes(), round, "only what came woke it");
        bench.peer.send(Message::text("in")).await.unwrap();
        bench.world.until(|_| bench.wakes() > round).await;
        assert!(bench.poll().is_ready());
        bench.sender.send(L::message(&text("out"))).await.unwrap();
        bench.sender.try_send(L::message(&text("out"))).unwrap();
        assert_eq!(bench.wakes(), round + 1, "it is awake");
    }
    assert!(bench.poll().is_pending());
    assert_eq!(bench.wakes(), 20);
    assert_eq!(bench.world.counts().flushed().0, 40);
}

async fn what_others_send_wakes_it_once<L: Library>() {
    let mut bench = Bench::<L>::new().await;
    assert!(bench.poll().is_pending());
    for _ in 0..10 {
        bench.sender.send(L::message(&text("out"))).await.unwrap();
    }
    assert_eq!(bench.wakes(), 1);
    assert!(bench.poll().is_pending());
    assert_eq!((bench.wakes(), bench.world.counts().flushed().0), (1, 10));
    bench.sender.send(L::message(&text("out"))).await.unwrap();
    assert_eq!(bench.wakes(), 2);
}

async fn what_is_sent_together_leaves_together<L: Library>() {
    let mut bench = Bench::<L>::new().await;
    for _ in 0..100 {
        bench.sender.send(L::message(&text("some message"))).await.unwrap();
    }
    assert!(bench.poll().is_pending());
    assert_eq!(bench.world.counts().flushed().0, 100);
    // One library writes up to so many pieces at once.
    assert!(bench.writes.load(SeqCst) <= 4, "{:?}", bench.writes);
    for _ in 0..100 {
        assert_eq!(bench.peer.next().await.unwrap().unwrap(), Message::text("some message"));
    }
}

async fn reading_without_end_does_not_keep_back_what_waits<L: Library>() {
    let mut bench = Bench::<L>::new().await;
    for _ in 0..200 {
        bench.peer.feed(Message::text("in")).await.unwrap();
    }
    bench.peer.flush().await.unwrap();
    bench.sender.send(L::message(&text("out"))).await.unwrap();
    let mut given = 0;
    while bench.world.counts().flushed().0 == 0 {
        match bench.poll() {
            Poll::Ready(next) => given += u32::from(next.is_some()),
            Poll::Pending => tokio::task::yield_now().await,
        }
    }
    assert!(given <= 65, "{given}");
}

async fn sending_without_end_does_not_keep_others_from_it<L: Library>() {
    let mut bench = Bench::<L>::new().await;
    for _ in 0..2_000 {
        bench.sender.send(L::message(&text("out"))).await.unwrap();
    }
    assert!(bench.poll().is_pending());
    let counts = bench.world.counts();
    assert_eq!(
        (counts.flushed().0, counts.queued().0, bench.wakes()),
        (512, 1_488, 1),
        "it will go on"
    );
    for _ in 0..4 {
        assert!(bench.poll().is_pending());
    }
    assert_eq!(bench.world.counts().flushed().0, 2_000);
}

/// A handler that sends more than the outbox holds for each message that comes.
async fn a_handler_that_answers_makes_room_itself<L: Library>() {
    let world = World::new();
    let (server, peer) = narrow().await;
    let settings = Outbox::new().max_messages(2);
    let (_, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(settings);
    let handler = tokio::spawn(async move {
        while let Some(Ok(message)) = socket.recv().await {
            if L::said(message) == text("in") {
                for number in 0..500 {
                    let answer = format!("{number} {}", "x".repeat(1_000));
                    socket.send(L::message(&text(&answer))).await.unwrap();
                }
            }
        }
    });
    let mut peer = client(peer).await;
    peer.send(Message::text("in")).await.unwrap();
    for number in 0..500 {
        let answer = peer.next().await.unwrap().unwrap().to_string();
        assert!(answer.starts_with(&format!("{number} ")), "{answer}");
    }
    peer.close(None).await.unwrap();
    while peer.next().await.is_some() {}
    handler.await.unwrap();
    let counts = world.counts();
    assert_eq!((counts.flushed().0, counts.all_dropped()), (500, (0, 0)));
}

async fn a_handler_that_answers_hears_what_failed<L: Library>() {
    let world = World::new();
    let (server, peer) = narrow().await;
    let settings = Outbox::new().max_messages(1);
    let (_, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(settings);
    let big = || L::message(&Said::Binary(vec![7; 900_000]));
    socket.send(big()).await.unwrap();
    assert!(socket.send(big()).now_or_never().is_some(), "the first is on its way");
    {
        let mut third = pin!(socket.send(big()));
        assert!(third.as_mut().now_or_never().is_none());
        reset(peer);
        assert_eq!(third.await.unwrap_err().kind(), SendErrorKind::Closed);
    }
    assert!(socket.recv().await.unwrap().is_err());
    drop(socket);
    let counts = world.counts();
    assert_eq!((counts.attempted().0, counts.dropped("io_error").0), (3, 3), "{counts:#?}");
    assert_eq!(counts.ends(), ["remote reset none 1"]);
}

async fn a_handler_that_only_sends_is_heard<L: Library>() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let world = World::new();
        let (server, peer) = wire().await;
        let settings = Outbox::new().max_messages(100).overflow(overflow);
        let (_sender, mut socket) = world.endpoint.meter(L::serve(server).await).outbox(settings);
        for number in 0..1_000_u32 {
            socket.send(L::message(&text(&number.to_string()))).await.unwrap();
        }
        let mut peer = client(peer).await;
        let first = timeout(Duration::from_secs(2), peer.next()).await.unwrap();
        assert_eq!(first.unwrap().unwrap(), Message::text("0"));
        let counts = world.counts();
        assert_eq!(counts.all_dropped(), (0, 0), "there was room");
        counts.assert_adds_up();
    }
}
