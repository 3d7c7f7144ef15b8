use futures_util::StreamExt;
use tokio::{
    net::TcpStream,
    task::{AbortHandle, JoinHandle},
};
use tower_vitals_ws::{Outbox, OutboxSender};

use crate::{
    counts::World,
    library::{Library, Said},
    wire::{Client, client, narrow},
};

/// A connection whose other side does not read. A large message is on its way, and nothing will be handed over behind it.
pub(super) struct Stuck<L: Library> {
    pub(super) sender: OutboxSender<L::Message>,
    pub(super) task: AbortHandle,
    pub(super) peer: TcpStream,
}

pub(super) const BIG: u64 = 900_000;

pub(super) fn big<L: Library>() -> L::Message {
    L::message(&Said::Binary(vec![7; 900_000]))
}

pub(super) async fn stuck<L: Library>(world: &World, settings: Outbox<L::Message>) -> Stuck<L> {
    let (server, peer) = narrow().await;
    let (sender, socket) = world.endpoint.meter(L::serve(server).await).outbox(settings);
    let task = tokio::spawn(socket.drive()).abort_handle();
    sender.send(big::<L>()).await.unwrap();
    world.until(|counts| counts.buffered() == (1, BIG)).await;
    Stuck { sender, task, peer }
}

impl<L: Library> Stuck<L> {
    /// Has the other side read: what it gets behind the large message, until it has got so many.
    pub(super) fn read(peer: TcpStream, messages: usize) -> JoinHandle<(Vec<String>, Client)> {
        tokio::spawn(async move {
            let mut client = client(peer).await;
            let mut came = Vec::new();
            while came.len() <= messages {
                came.push(match client.next().await {
                    Some(Ok(message)) if message.is_close() => format!("{message:?}"),
                    Some(Ok(message)) if message.is_ping() || message.is_pong() => format!("control {message}"),
                    Some(Ok(message)) if message.is_binary() => "big".to_owned(),
                    Some(Ok(message)) => message.to_string(),
                    other => panic!("{other:?} after {came:?}"),
                });
            }
            assert_eq!(came.remove(0), "big");
            (came, client)
        })
    }
}
