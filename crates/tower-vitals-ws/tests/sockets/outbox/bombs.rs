//! What an outbox holds that is not its own: messages that panic as they are dropped, and wakers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use tokio::time::timeout;
use tokio_tungstenite030::tungstenite::{Bytes, Message};
use tower_vitals_ws::Outbox;

use super::stuck::big;
use crate::{
    counts::World,
    library::{Library, Tungstenite030},
    wire::{narrow, wire},
};

struct Bomb;

impl AsRef<[u8]> for Bomb {
    fn as_ref(&self) -> &[u8] {
        b"bomb"
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }
}

fn bomb() -> Message {
    Message::Binary(Bytes::from_owner(Bomb))
}

#[tokio::test]
async fn a_connection_ends_also_when_a_message_panics_as_it_is_dropped() {
    let world = World::new();
    let (server, _peer) = wire().await;
    let (sender, socket) = world
        .endpoint
        .meter(Tungstenite030::serve(server).await)
        .outbox(Outbox::new());
    sender.send(bomb()).await.unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(socket))).is_err());
    let counts = world.counts();
    assert_eq!(
        (counts.ends(), counts.dropped("connection_dropped")),
        (vec!["local dropped none 1".to_owned()], (1, 4))
    );
    counts.assert_adds_up();
}

#[tokio::test]
async fn a_driver_ends_also_when_a_message_panics_as_it_is_dropped() {
    let world = World::new();
    let (server, _peer) = narrow().await;
    let (sender, socket) = world
        .endpoint
        .meter(Tungstenite030::serve(server).await)
        .outbox(Outbox::new());
    let (receiver, driver) = socket.split();
    let mut driving = tokio::spawn(driver);
    sender.send(big::<Tungstenite030>()).await.unwrap();
    world.until(|counts| counts.buffered().0 == 1).await;
    sender.send(bomb()).await.unwrap();
    assert!(timeout(Duration::from_millis(100), &mut driving).await.is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(receiver))).is_err());
    timeout(Duration::from_secs(2), driving).await.unwrap().unwrap().unwrap();
    assert_eq!(world.counts().connections(), 0);
}

struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test]
async fn a_sender_that_is_kept_does_not_keep_the_task() {
    let world = World::new();
    let (server, _peer) = wire().await;
    let (sender, mut socket) = world
        .endpoint
        .meter(Tungstenite030::serve(server).await)
        .outbox(Outbox::new());
    let task = Arc::new(Task);
    let waker = Waker::from(Arc::clone(&task));
    assert!(matches!(
        pin!(socket.recv()).as_mut().poll(&mut Context::from_waker(&waker)),
        Poll::Pending
    ));
    drop((socket, waker));
    assert_eq!(Arc::strong_count(&task), 1);
    assert!(sender.is_closed());
}
