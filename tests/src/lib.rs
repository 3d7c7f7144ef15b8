//! Support for the end-to-end tests, independent of the crates under test: it
//! talks HTTP, reads the exposition with somebody else's parser, and asks a
//! real Prometheus.
//!
//! - [`required`]: tests that need an outside program, and async tests.
//! - [`prometheus`] and [`promql`]: a real Prometheus, and questions to it.
//! - [`parser`] and [`exposition`]: Python's parsers, and what they found.
//! - [`client`], [`exchange`] and [`raw`]: clients that can vanish anywhere.
//! - [`body`] and [`server`]: scripted bodies, and services on a real port.
//! - [`example`]: the programs of the workspace's examples.
//! - [`until`]: bounded waits for what other tasks do.
//! - [`selftest`]: trials of this library itself that need outside programs.
//!
//! Everything here waits in real time; none of it works under a paused clock.

pub mod body;
pub mod client;
mod connection;
pub mod example;
pub mod exchange;
pub mod exposition;
pub mod parser;
pub mod prometheus;
pub mod promql;
pub mod raw;
pub mod required;
pub mod selftest;
pub mod server;
pub mod until;

/// The error of every helper: tests report it, nothing matches on it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The result of every helper.
pub type Result<T, E = BoxError> = std::result::Result<T, E>;
