use std::{borrow::Cow, error::Error, fmt};

use axum::{
    extract::{
        FromRequestParts, WebSocketUpgrade,
        ws::{WebSocket, rejection::WebSocketUpgradeRejection},
    },
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, Version, request::Parts};

use super::{Handshake, HandshakeOutcome};
use crate::{Endpoint, Limits, MeteredWebSocket, capacity::Permit};

/// Extracts a WebSocket for axum's handlers, counted as one of its route: in place of axum's own
/// [`WebSocketUpgrade`](axum::extract::WebSocketUpgrade).
///
/// It needs [`WebSocketLayer`](crate::WebSocketLayer) around the router, and nothing of the application's state.
///
/// # Defaults
/// Those of axum but for memory: a connection reads into 16 KiB instead of 128 KiB, and no more than 4 MiB and a little wait to be sent
/// instead of any amount. What is sent may be [larger](Self::max_outgoing_message_size) where that is said.
#[must_use = "a handshake of which nothing is made is counted as abandoned"]
pub struct MeteredUpgrade {
    upgrade: WebSocketUpgrade,
    handshake: Handshake,
    endpoint: Endpoint,
    permit: Permit,
    limits: Limits,
    version: Version,
    write_buffer: usize,
    /// The largest message to be sent.
    outgoing: usize,
    failed: Option<Box<Failed>>,
}

type Failed = dyn FnOnce(axum::Error) + Send + Sync;

/// Why there is no [`MeteredUpgrade`].
#[derive(Debug)]
#[non_exhaustive]
pub enum MeteredUpgradeRejection {
    /// The request is no handshake of a WebSocket.
    NoHandshake(WebSocketUpgradeRejection),
    /// There is no [`WebSocketLayer`](crate::WebSocketLayer) around the router.
    NoLayer,
    /// There are as many connections as there may be: [`max_connections`](crate::WebSocketLayer::max_connections).
    OverCapacity,
    /// The server stops: [`drain`](crate::WebSockets::drain).
    Shutdown,
}

const READ_BUFFER: usize = 16 * 1024;

/// What axum has when it is not told.
const WRITE_BUFFER: usize = 128 * 1024;

/// The largest message that is sent unless more is said.
const OUTGOING: usize = 4 * 1024 * 1024;

/// For headers of frames, and for control frames that must always find room.
const HEADROOM: usize = 1024;

impl MeteredUpgrade {
    /// The endpoint that the connection will belong to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What bounds the connection's life. Only pings are limited unless said otherwise.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The largest message that can be sent, 4 MiB unless said otherwise. So much may wait to be sent, and a little more; what finds no
    /// room is an error and counts as dropped.
    pub fn max_outgoing_message_size(mut self, bytes: usize) -> Self {
        self.outgoing = bytes;
        self
    }

    /// How much may wait before it is written without a flush. 128 KiB unless said otherwise.
    pub fn write_buffer_size(mut self, bytes: usize) -> Self {
        self.write_buffer = bytes;
        self
    }

    /// The largest message that is accepted from the other side. 64 MiB unless said otherwise.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.upgrade = self.upgrade.max_message_size(bytes);
        self
    }

    /// The largest frame that is accepted from the other side. 16 MiB unless said otherwise.
    pub fn max_frame_size(mut self, bytes: usize) -> Self {
        self.upgrade = self.upgrade.max_frame_size(bytes);
        self
    }

    /// Whether frames are accepted that are not masked, as clients must mask theirs. They are not unless said otherwise.
    pub fn accept_unmasked_frames(mut self, accept: bool) -> Self {
        self.upgrade = self.upgrade.accept_unmasked_frames(accept);
        self
    }

    /// The size of what is read into. 16 KiB unless said otherwise.
    pub fn read_buffer_size(mut self, bytes: usize) -> Self {
        self.upgrade = self.upgrade.read_buffer_size(bytes);
        self
    }

    /// The protocols that this side knows, of which the first is taken that the other side asks for.
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        self.upgrade = self.upgrade.protocols(protocols);
        self
    }

    /// The protocols that the other side asks for.
    pub fn requested_protocols(&self) -> impl Iterator<Item = &HeaderValue> {
        self.upgrade.requested_protocols()
    }

    /// Takes this protocol. Some clients refuse one that they have not asked for.
    pub fn set_selected_protocol(&mut self, protocol: HeaderValue) {
        self.upgrade.set_selected_protocol(protocol);
    }

    /// The protocol that was taken, if one was.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<&HeaderValue> {
        self.upgrade.selected_protocol()
    }

    /// What is to be done when the connection cannot be taken over after it was answered.
    pub fn on_failed_upgrade(mut self, failed: impl FnOnce(axum::Error) + Send + Sync + 'static) -> Self {
        self.failed = Some(Box::new(failed));
        self
    }

    /// Answers the handshake, and runs `run` with the WebSocket in a task of its own.
    #[must_use = "the handshake is answered by this response"]
    pub fn on_upgrade<F, Fut>(self, run: F) -> Response
    where
        F: FnOnce(MeteredWebSocket<WebSocket>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let upgrade = limited(self.upgrade, self.write_buffer, self.outgoing);
        let Self {
            handshake,
            endpoint,
            permit,
            limits,
            version,
            failed,
            ..
        } = self;
        handshake.answer();
        let of_failed = handshake.clone();
        let failed = move |error| {
            of_failed.end(HandshakeOutcome::UpgradeFailed);
            if let Some(failed) = failed {
                failed(error);
            }
        };
        upgrade.on_failed_upgrade(failed).on_upgrade(move |socket| {
            handshake.end(HandshakeOutcome::Established);
            run(endpoint.meter_version(socket, version).keep(permit).limits(limits))
        })
    }
}

/// Lets no more than this wait to be sent, and always a message of the largest size.
fn limited(upgrade: WebSocketUpgrade, write_buffer: usize, outgoing: usize) -> WebSocketUpgrade {
    // The library panics where the one is not less than the other.
    let write_buffer = write_buffer.min(usize::MAX - HEADROOM);
    let most = write_buffer.saturating_add(HEADROOM).saturating_add(outgoing);
    upgrade.write_buffer_size(write_buffer).max_write_buffer_size(most)
}

impl<S: Send + Sync> FromRequestParts<S> for MeteredUpgrade {
    type Rejection = MeteredUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let extracted = WebSocketUpgrade::from_request_parts(parts, state).await;
        let handshake = parts.extensions.get::<Handshake>().cloned();
        let endpoint = handshake
            .as_ref()
            .map(|handshake| handshake.endpoint(super::route(&parts.extensions)));
        let upgrade = extracted.map_err(|rejection| {
            if let Some(handshake) = &handshake {
                handshake.end(outcome(&rejection));
            }
            MeteredUpgradeRejection::NoHandshake(rejection)
        })?;
        let (Some(handshake), Some(endpoint)) = (&handshake, endpoint) else {
            return Err(MeteredUpgradeRejection::NoLayer);
        };
        let permit = handshake.claim(endpoint).map_err(|outcome| {
            handshake.end(outcome);
            match outcome {
                HandshakeOutcome::Shutdown => MeteredUpgradeRejection::Shutdown,
                _ => MeteredUpgradeRejection::OverCapacity,
            }
        })?;
        handshake.extract();
        Ok(Self {
            upgrade: upgrade.read_buffer_size(READ_BUFFER),
            handshake: handshake.clone(),
            endpoint: endpoint.clone(),
            permit,
            limits: Limits::new(),
            version: parts.version,
            write_buffer: WRITE_BUFFER,
            outgoing: OUTGOING,
            failed: None,
        })
    }
}

fn outcome(rejection: &WebSocketUpgradeRejection) -> HandshakeOutcome {
    use WebSocketUpgradeRejection as R;
    match rejection {
        R::MethodNotGet(_) | R::MethodNotConnect(_) => HandshakeOutcome::Method,
        R::InvalidConnectionHeader(_) => HandshakeOutcome::InvalidConnection,
        R::InvalidUpgradeHeader(_) => HandshakeOutcome::InvalidUpgrade,
        R::InvalidProtocolPseudoheader(_) => HandshakeOutcome::InvalidProtocol,
        R::InvalidWebSocketVersionHeader(_) => HandshakeOutcome::InvalidVersion,
        R::WebSocketKeyHeaderMissing(_) => HandshakeOutcome::MissingKey,
        R::ConnectionNotUpgradable(_) => HandshakeOutcome::NotUpgradable,
        _ => HandshakeOutcome::Denied,
    }
}

impl IntoResponse for MeteredUpgradeRejection {
    fn into_response(self) -> Response {
        match self {
            Self::NoHandshake(rejection) => rejection.into_response(),
            Self::NoLayer => (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response(),
            Self::OverCapacity | Self::Shutdown => (StatusCode::SERVICE_UNAVAILABLE, self.to_string()).into_response(),
        }
    }
}

impl fmt::Display for MeteredUpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHandshake(rejection) => rejection.fmt(f),
            Self::NoLayer => f.write_str("`MeteredUpgrade` needs `WebSocketLayer` around the router"),
            Self::OverCapacity => f.write_str("there are as many connections as there may be"),
            Self::Shutdown => f.write_str("the server stops"),
        }
    }
}

impl Error for MeteredUpgradeRejection {}

impl fmt::Debug for MeteredUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeteredUpgrade")
            .field("upgrade", &self.upgrade)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
