#![doc = include_str!("../README.md")]

mod auth;
mod body;
mod counted;
mod ending;
mod future;
mod kind;
mod layer;
mod method;
mod outcome;
mod records;
mod route;
mod service;
mod slot;

pub use self::{
    auth::AuthType,
    body::MetricsBody,
    future::ResponseFuture,
    layer::{MetricsLayer, MetricsLayerBuilder},
    outcome::Outcome,
    route::{RequestHead, UNMATCHED},
    service::Metrics,
    slot::tag_route,
};
