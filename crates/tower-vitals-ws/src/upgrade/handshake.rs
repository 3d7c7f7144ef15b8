use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
};

use http::{Method, Request, StatusCode, Version};

use super::HandshakeOutcome;
use crate::{Endpoint, WebSockets, capacity::Caps};

/// A handshake on its way, counted as soon as it is known what comes of it, and at the latest when the last who has it lets go: the layer,
/// the extractor, or the task that gets the socket.
#[derive(Clone)]
pub(crate) struct Handshake {
    inner: Arc<Inner>,
}

struct Inner {
    sockets: WebSockets,
    #[cfg_attr(not(feature = "axum08"), allow(dead_code, reason = "only the extractor claims a place"))]
    caps: Caps,
    /// Whether it is answered with 200 and not with 101: it is a CONNECT over HTTP/2.
    is_connect: bool,
    /// Whether the thread unwound already when it began, so that a panic is not its own.
    was_panicking: bool,
    /// What the layer knows of the route, for when nobody knows better.
    route: Option<Box<str>>,
    endpoint: OnceLock<Endpoint>,
    stage: Mutex<Stage>,
}

/// How far a handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "axum08"), allow(dead_code, reason = "only the extractor has these"))]
enum Stage {
    /// No extractor has had it.
    Asked,
    /// The extractor gave it to the handler.
    Extracted,
    /// It is being answered with a WebSocket; the task that waits for that says what comes of it.
    Answered,
    /// What came of it is counted.
    Counted,
}

/// The endpoint of handshakes that came to no route.
const UNMATCHED: &str = "_unmatched";

impl Handshake {
    pub(crate) fn new<B>(sockets: &WebSockets, caps: Caps, request: &Request<B>) -> Self {
        let inner = Inner {
            sockets: sockets.clone(),
            caps,
            is_connect: request.version() > Version::HTTP_11 && request.method() == Method::CONNECT,
            was_panicking: thread::panicking(),
            route: super::route(request.extensions()).map(Into::into),
            endpoint: OnceLock::new(),
            stage: Mutex::new(Stage::Asked),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whether it is counted among these.
    pub(crate) fn is_of(&self, sockets: &WebSockets) -> bool {
        self.inner.sockets.is(sockets)
    }

    /// The response goes out, or none where the service failed.
    pub(crate) fn end_by_response(&self, status: Option<StatusCode>) {
        let inner = &self.inner;
        if let Some(outcome) = inner.stage().outcome(inner.is_connect, status) {
            inner.end(outcome);
        }
    }
}

/// For the extractor.
#[cfg(feature = "axum08")]
impl Handshake {
    /// The endpoint; that which is told first.
    pub(crate) fn endpoint(&self, route: Option<&str>) -> &Endpoint {
        self.inner.endpoint(route)
    }

    /// A place for its connection, or why there is none.
    pub(crate) fn claim(&self, endpoint: &Endpoint) -> Result<crate::capacity::Permit, HandshakeOutcome> {
        if endpoint.is_draining() {
            return Err(HandshakeOutcome::Shutdown);
        }
        endpoint.claim(self.inner.caps).ok_or(HandshakeOutcome::OverCapacity)
    }

    /// The handler gets it.
    pub(crate) fn extract(&self) {
        self.inner.advance(Stage::Extracted);
    }

    /// The handler answers it with a WebSocket.
    pub(crate) fn answer(&self) {
        self.inner.advance(Stage::Answered);
    }

    /// What comes of it, unless something else did before.
    pub(crate) fn end(&self, outcome: HandshakeOutcome) {
        self.inner.end(outcome);
    }
}

impl Stage {
    /// What comes of a handshake that has come so far and is answered with this status. None where that is not known yet.
    fn outcome(self, is_connect: bool, status: Option<StatusCode>) -> Option<HandshakeOutcome> {
        let switches = status == Some(StatusCode::SWITCHING_PROTOCOLS);
        let succeeds = status.is_some_and(|status| status.is_success());
        let is_websocket = switches || (succeeds && is_connect);
        match self {
            Self::Counted => None,
            _ if !switches && !succeeds => Some(HandshakeOutcome::Denied),
            Self::Asked if is_websocket => Some(HandshakeOutcome::Unmetered),
            Self::Answered if is_websocket => None,
            Self::Asked | Self::Extracted | Self::Answered => Some(HandshakeOutcome::Abandoned),
        }
    }
}

impl Inner {
    fn endpoint(&self, route: Option<&str>) -> &Endpoint {
        let name = || route.or(self.route.as_deref()).unwrap_or(UNMATCHED);
        self.endpoint.get_or_init(|| self.sockets.endpoint_of_handshake(name()))
    }

    fn stage(&self) -> Stage {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on to a stage, and gives that before. What is counted stays so.
    fn advance(&self, to: Stage) -> Stage {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *stage;
        if before != Stage::Counted {
            *stage = to;
        }
        before
    }

    fn end(&self, outcome: HandshakeOutcome) {
        if self.advance(Stage::Counted) != Stage::Counted {
            self.endpoint(None).count_handshake(outcome);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let is_panic = thread::panicking() && !self.was_panicking;
        self.end(if is_panic {
            HandshakeOutcome::Panicked
        } else {
            HandshakeOutcome::Cancelled
        });
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("endpoint", &self.inner.endpoint.get())
            .field("stage", &self.inner.stage())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_response_says_what_came_of_a_handshake_that_was_not_answered_with_a_websocket() {
        use HandshakeOutcome::{Abandoned, Denied, Unmetered};
        let of = |stage: Stage, is_connect, status| stage.outcome(is_connect, StatusCode::from_u16(status).ok());
        for is_connect in [false, true] {
            for stage in [Stage::Asked, Stage::Extracted, Stage::Answered] {
                for refusal in [301, 401, 503] {
                    assert_eq!(of(stage, is_connect, refusal), Some(Denied));
                }
                assert_eq!(stage.outcome(is_connect, None), Some(Denied), "the service failed");
            }
            assert_eq!(of(Stage::Extracted, is_connect, 200), Some(Abandoned));
            assert_eq!(of(Stage::Counted, is_connect, 401), None);
        }
        assert_eq!(of(Stage::Answered, false, 101), None);
        assert_eq!(of(Stage::Answered, false, 200), Some(Abandoned), "the response got lost");
        assert_eq!(of(Stage::Answered, true, 200), None);
        assert_eq!(of(Stage::Asked, false, 101), Some(Unmetered));
        assert_eq!(of(Stage::Asked, false, 200), Some(Abandoned), "it is no WebSocket");
        assert_eq!(
            of(Stage::Asked, true, 200),
            Some(Unmetered),
            "so WebSockets are answered there"
        );
    }
}
