#![doc = include_str!("../README.md")]

mod auth;
mod body;
mod client;
mod counted;
mod ending;
mod endpoint;
mod future;
mod grpc;
mod handle;
mod kind;
mod known_methods;
mod layer;
mod method;
mod names;
mod outcome;
mod own;
mod principal;
mod records;
mod request_body;
#[cfg(feature = "reqwest013")]
mod reqwest;
mod route;
mod rules;
mod service;
mod settings;
mod slo;
mod slot;
mod streams;
mod vocabulary;

pub use self::{
    auth::AuthType,
    body::MetricsBody,
    client::{ClientMetricsLayer, ClientMetricsLayerBuilder},
    future::ResponseFuture,
    handle::RequestSlot,
    kind::UrlScheme,
    layer::{MetricsLayer, MetricsLayerBuilder},
    names::Names,
    outcome::Outcome,
    own::ResponseHead,
    principal::{Principal, PrincipalIds},
    request_body::{RequestBody, RequestBodyBytes, RequestBodyLayer},
    route::{RequestHead, UNMATCHED},
    service::Metrics,
    slo::Slo,
    slot::{tag_label, tag_route},
};

#[cfg(feature = "reqwest013")]
pub use self::reqwest::{ReqwestFuture, ReqwestService};
