#![doc = include_str!("../README.md")]

mod accept;
mod body;
#[cfg(feature = "prometheus-client025")]
pub mod prometheus;
mod route;

pub use self::{accept::ProtocolKind, body::ScrapeBody, route::MetricsRoute};
