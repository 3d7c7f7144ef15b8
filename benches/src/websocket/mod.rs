//! The part `websocket`: what counting adds to each message of a WebSocket, what an outbox takes from it, and what a connection that
//! is idle holds.
//!
//! `wire` and `echo` are a connection in memory that echoes, `entries` the ways to have one. Of the `servers`, `loopback` times those
//! that echo and `idle` holds connections. `counts` and `report` measure.

mod counts;
mod echo;
mod entries;
mod idle;
mod loopback;
mod method;
mod report;
mod servers;
mod wire;

pub(crate) use self::{
    counts::{added, child, on_heap},
    idle::held,
    report::run,
    servers::ALL as SERVERS,
};
