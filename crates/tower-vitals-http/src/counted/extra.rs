//! What few requests have.

use std::{borrow::Cow, sync::Arc};

use tower_vitals_core::{Handle, InFlight, InFlightGuard};

use crate::{RequestSlot, grpc, principal::KnownId, request_body::Received, rules::Ruled, streams::StreamKind};

/// What few requests have, in a place of its own.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// The route that code further in gave.
    pub(super) tag: Option<Cow<'static, str>>,
    /// Labels that code further in gave.
    pub(super) labels: Vec<(&'static str, Cow<'static, str>)>,
    /// The ID of the API key, where there is one of the user, too.
    pub(super) api_key: Option<Arc<KnownId>>,
    /// Values of the application's own labels, each in its place.
    pub(super) own: Vec<Option<Box<str>>>,
    /// What sees the request's body, if something does.
    pub(super) received: Option<Arc<Received>>,
    /// Bytes of the response's body.
    pub(super) sent: u64,
    pub(super) grpc: Option<grpc::Call>,
    pub(super) stream: Option<Stream>,
    /// For code that runs elsewhere.
    pub(super) handle: Option<RequestSlot>,
    /// What the rules say of the route.
    pub(super) ruled: Ruled,
}

/// A stream that is being served.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) kind: StreamKind,
    _in_flight: InFlightGuard<Handle<InFlight>>,
}

impl Extra {
    pub(super) fn set_own(&mut self, place: usize, value: Box<str>) {
        if self.own.len() <= place {
            self.own.resize_with(place + 1, || None);
        }
        self.own[place] = Some(value);
    }

    /// Whether it is a gRPC call of which more than one message was sent in one direction.
    pub(super) fn streamed_messages(&self) -> bool {
        let received = || self.received.as_ref().map_or(0, |received| received.messages());
        self.grpc
            .as_ref()
            .is_some_and(|call| call.streams || call.responses.count() > 1 || received() > 1)
    }
}

impl Stream {
    pub(super) fn begin(kind: StreamKind, in_flight: &Handle<InFlight>) -> Self {
        Self {
            kind,
            _in_flight: in_flight.start(),
        }
    }
}
