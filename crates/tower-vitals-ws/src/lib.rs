// The README shows what there is with axum.
#![cfg_attr(feature = "axum08", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "axum08"),
    doc = "WebSockets whose messages are all accounted for in Prometheus. Its front page is that with `axum08`."
)]

mod bindings;
mod connection;
mod endpoint;
mod failure;
mod ledger;
mod message;
mod metrics;
mod registry;
mod socket;
mod sync;
mod upgrade;

#[cfg(feature = "axum08")]
pub use self::upgrade::{MeteredUpgrade, MeteredUpgradeRejection};
pub use self::{
    connection::{CloseCause, CodeClass, Initiator},
    endpoint::Endpoint,
    failure::{Failure, WsError},
    ledger::DropReason,
    message::{MessageKind, WsMessage},
    registry::WebSockets,
    socket::{MeteredReceiver, MeteredSender, MeteredWebSocket, ReuniteError, Socket},
    upgrade::{HandshakeOutcome, WebSocketFuture, WebSocketLayer, WebSocketService},
};
