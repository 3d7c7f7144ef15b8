//! What messages allocate on their way through an outbox: nothing. A test binary of its own, as all of it shares the count.
#![allow(clippy::unwrap_used)] // there is nothing but a test

use std::{
    alloc::System,
    task::{Context, Waker},
    time::Duration,
};

use futures_util::StreamExt;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::io::sink;
use tokio_tungstenite030::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};
use tower_vitals_core::Vitals;
use tower_vitals_ws::{Outbox, Outgoing, Overflow, WebSockets};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The least that it allocates: other threads of the test may allocate in between. The first times make room.
fn least(mut run: impl FnMut()) -> usize {
    let counted = |()| {
        let region = Region::new(ALLOCATOR);
        run();
        region.change().allocations
    };
    [(); 20].map(counted).into_iter().min().unwrap()
}

#[tokio::test]
async fn messages_allocate_nothing() {
    let endpoint = WebSockets::of(&Vitals::new()).endpoint("chat");
    // Nothing ever comes, and whatever is written is gone.
    let (idle, _other) = tokio::io::duplex(1);
    let io = tokio::io::join(idle, sink());
    let inner = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
    let settings = Outbox::new().max_messages(4).overflow(Overflow::DropOldest);
    let (sender, mut socket) = endpoint.meter(inner).outbox(settings);
    let message = Message::text("a text that is shared by all that send it");
    let mut cx = Context::from_waker(Waker::noop());

    let sent = least(|| {
        sender.try_send(message.clone()).unwrap();
        let latest = Outgoing::new(message.clone())
            .latest("EURUSD")
            .expires_in(Duration::from_secs(9));
        sender.try_send(latest).unwrap();
        assert!(socket.poll_next_unpin(&mut cx).is_pending());
    });
    assert_eq!((sent, sender.len()), (0, 0), "through the outbox");
    let evicted = least(|| sender.try_send(message.clone()).unwrap());
    assert_eq!((evicted, sender.len()), (0, 4), "the oldest makes room");
    let replaced = least(|| sender.try_send(Outgoing::new(message.clone()).latest(7)).unwrap());
    assert_eq!((replaced, sender.len()), (0, 4), "the latest takes a place");
}
