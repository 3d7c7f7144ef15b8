//! What the layer around a client tells, and the clients that it goes around.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use tests::{BoxError, Result, until::until_eq};
use tonic::transport::Channel;
use tower::{Layer, ServiceExt, util::BoxCloneService};
use tower_vitals::{ClientMetricsLayer, ReqwestService, Vitals, encode::Protocol};

use super::{LIMIT, Numbers, numbers, owned};

/// A client with a layer around it.
pub(crate) type Sender = BoxCloneService<Request<Full<Bytes>>, Response<axum::body::Body>, BoxError>;

/// All that the request layer tells of a Vitals' clients.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sent {
    /// `http_client_requests_total` by method, target, status and outcome.
    pub(crate) requests: Numbers,
    /// `http_client_request_duration_seconds_count` by method, target and class.
    pub(crate) durations: Numbers,
    /// `http_client_requests_in_flight` by method, where it is not 0.
    pub(crate) in_flight: Numbers,
}

/// A client that is a Tower service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hyper1,
    Hyper2,
    Reqwest1,
    Reqwest2,
    Tonic,
}

// === impl Sent ===

impl Sent {
    pub(crate) fn of(vitals: &Vitals) -> Self {
        let text = vitals.encode_to_string(Protocol::TEXT);
        let durations = "http_client_request_duration_seconds_count";
        let mut in_flight = numbers(&text, "http_client_requests_in_flight", &["method"]);
        in_flight.retain(|_, count| *count != 0);
        Self {
            requests: numbers(
                &text,
                "http_client_requests_total",
                &["method", "target", "status", "outcome"],
            ),
            durations: numbers(&text, durations, &["method", "target", "status_class"]),
            in_flight,
        }
    }

    /// What there is when nothing is in flight any more.
    pub(crate) fn ended(requests: &[(&str, u64)], durations: &[(&str, u64)]) -> Self {
        Self {
            requests: owned(requests),
            durations: owned(durations),
            in_flight: Numbers::new(),
        }
    }

    /// What there is when only one request was sent, which is under way.
    pub(crate) fn one_in_flight(method: &str) -> Self {
        let in_flight = owned(&[(method, 1)]);
        Self {
            in_flight,
            ..Self::default()
        }
    }

    /// Waits until this is all that there is, and sees it twice.
    pub(crate) async fn settles(&self, vitals: &Vitals) -> Result<()> {
        until_eq(LIMIT, self.clone(), || Self::of(vitals)).await?;
        assert_eq!(Self::of(vitals), *self);
        Ok(())
    }
}

// === impl Kind ===

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Hyper1, Self::Hyper2, Self::Reqwest1, Self::Reqwest2, Self::Tonic];

    /// A client of this kind in this layer. tonic's has one address; the others take it from the requests.
    pub(crate) fn layered(self, layer: &ClientMetricsLayer, addr: SocketAddr) -> Result<Sender> {
        let answer = |response: Response<_>| response.map(axum::body::Body::new);
        Ok(match self {
            Self::Hyper1 | Self::Hyper2 => {
                let client = hyper(self == Self::Hyper2);
                layer.layer(client).map_response(answer).map_err(Into::into).boxed_clone()
            }
            Self::Reqwest1 | Self::Reqwest2 => {
                let client = reqwest::Client::builder().no_proxy();
                let client = match self {
                    Self::Reqwest2 => client.http2_prior_knowledge(),
                    _ => client,
                };
                let client = layer.layer(ReqwestService::new(client.build()?));
                let wrap = |request: Request<Full<Bytes>>| request.map(reqwest::Body::wrap);
                let answer = |response: Response<_>| response.map(axum::body::Body::new);
                client
                    .map_request(wrap)
                    .map_response(answer)
                    .map_err(Into::into)
                    .boxed_clone()
            }
            Self::Tonic => {
                let channel = Channel::from_shared(format!("http://{addr}"))?.connect_lazy();
                let wrap = |request: Request<Full<Bytes>>| request.map(tonic::body::Body::new);
                let answer = |response: Response<_>| response.map(axum::body::Body::new);
                let client = layer.layer(channel).map_request(wrap);
                client.map_response(answer).map_err(Into::into).boxed_clone()
            }
        })
    }
}

/// hyper-util's client over plain TCP.
pub(crate) fn hyper<B>(http2: bool) -> legacy::Client<legacy::connect::HttpConnector, B>
where
    B: http_body::Body + Send + 'static + Unpin,
    B::Data: Send,
{
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .http2_only(http2)
        .build_http()
}
