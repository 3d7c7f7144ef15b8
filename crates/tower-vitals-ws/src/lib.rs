// The README shows what there is with axum.
#![cfg_attr(feature = "axum08", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "axum08"),
    doc = "WebSockets whose messages are all accounted for in Prometheus. Its front page is that with `axum08`."
)]

mod bindings;
mod capacity;
mod close_code;
mod connection;
mod drain;
mod endpoint;
mod failure;
mod ledger;
mod life;
mod listing;
mod message;
mod metrics;
mod outbox;
mod quality;
mod registry;
mod socket;
mod sync;
#[cfg(feature = "tcp")]
mod tcp;
mod upgrade;

#[cfg(feature = "tcp")]
pub use self::tcp::TcpOptions;
#[cfg(feature = "axum08")]
pub use self::upgrade::{MeteredUpgrade, MeteredUpgradeRejection};
pub use self::{
    close_code::{CloseCode, InvalidCloseCode},
    connection::{CloseCause, CodeClass, ConnectionId, Initiator, InvalidConnectionId},
    drain::{Drain, Drained},
    endpoint::Endpoint,
    failure::{Failure, WsError},
    ledger::DropReason,
    life::{Heartbeat, Limits},
    listing::{Connection, SortBy},
    message::{MessageKind, WsMessage},
    outbox::{
        Key, Outbox, OutboxDriver, OutboxReceiver, OutboxSender, OutboxSocket, Outgoing, Overflow, SendError, SendErrorKind,
    },
    quality::Quality,
    registry::WebSockets,
    socket::{MeteredReceiver, MeteredSender, MeteredWebSocket, ReuniteError, Socket},
    upgrade::{HandshakeOutcome, WebSocketFuture, WebSocketLayer, WebSocketService},
};
