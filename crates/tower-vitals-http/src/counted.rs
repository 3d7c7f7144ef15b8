//! A request from its start to its end.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Instant,
};

use http::{Request, Response, StatusCode};
use http_body::Body;

use crate::{
    AuthType, Outcome,
    ending::{Ending, judge},
    layer::Shared,
    method::KnownMethod,
    records::{Kind, Records, Route},
    slot::{self, Slot},
};

/// What the clones of one service share. axum makes a service for each route, so the route is nearly always the one of last time.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) shared: Arc<Shared>,
    route: OnceLock<Arc<Route>>,
}

/// A request that is being counted: in flight as long as this lives, recorded when it ends.
///
/// It moves from the call into the future and on into the body. Whoever drops it unfinished ends the request as `on_drop` says.
#[derive(Debug)]
pub(crate) struct Counted {
    endpoint: Arc<Endpoint>,
    started: Instant,
    method: KnownMethod,
    auth_type: AuthType,
    status: Option<StatusCode>,
    route: Matched,
    /// Bytes to come, if the head promised a number; more than can come if not.
    bytes: u64,
    timed: bool,
    recorded: bool,
    /// The outcome if nothing better comes. It says `panicked` while the service's code runs: only unwinding leaves that standing.
    pub(crate) on_drop: Outcome,
    pub(crate) slot: Slot,
}

/// Which route a request matched, without a reference count that all requests share.
#[derive(Debug)]
enum Matched {
    /// The endpoint's.
    Endpoint,
    /// None.
    Nothing,
    /// One that the label's budget refused.
    Refused,
    /// Another one.
    Other(Arc<Route>),
}

// === impl Endpoint ===

impl Endpoint {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            route: OnceLock::new(),
        }
    }

    fn records(&self) -> &Records {
        &self.shared.records
    }

    /// Finds the request's route and keeps the first one for the next requests.
    fn matched<B>(&self, request: &Request<B>) -> Matched {
        let Some(text) = self.shared.route_of(request) else {
            return Matched::Nothing;
        };
        if self.route.get().is_some_and(|route| *route.text() == *text) {
            return Matched::Endpoint;
        }
        let Some(route) = self.records().route(&text) else {
            return Matched::Refused;
        };
        match self.route.set(Arc::clone(&route)) {
            Ok(()) => Matched::Endpoint,
            Err(route) => Matched::Other(route),
        }
    }
}

// === impl Counted ===

impl Counted {
    /// Begins to count a request, unless a layer further out counts it already.
    pub(crate) fn begin<B>(endpoint: &Arc<Endpoint>, request: &Request<B>) -> Option<Self> {
        let records = endpoint.records();
        let owner = records.owner();
        if slot::is_counted(owner, || endpoint.shared.route_of(request).map(Cow::into_owned)) {
            return None;
        }
        let method = KnownMethod::of(request.method());
        records.in_flight(method).begin();
        let mut counted = Self {
            endpoint: Arc::clone(endpoint),
            started: records.clock.now(),
            method,
            auth_type: AuthType::of(request.headers()),
            status: None,
            route: Matched::Nothing,
            bytes: u64::MAX,
            timed: true,
            recorded: false,
            on_drop: Outcome::Panicked,
            slot: Slot::new(owner),
        };
        counted.route = endpoint.matched(request);
        if matches!(counted.route, Matched::Endpoint | Matched::Other(_)) {
            counted.slot.set_matched();
        }
        Some(counted)
    }

    /// Takes note of the response's head, and says whether that ended the request.
    pub(crate) fn is_complete_with<B: Body>(&mut self, response: &Response<B>) -> bool {
        let body = response.body();
        let verdict = judge(
            self.method,
            response.status(),
            response.headers(),
            body.is_end_stream(),
            &body.size_hint(),
        );
        self.status = Some(response.status());
        self.timed = verdict.timed;
        self.on_drop = verdict.on_drop;
        match verdict.ending {
            Ending::Head => return true,
            Ending::Bytes(bytes) => self.bytes = bytes,
            Ending::Body => {}
        }
        false
    }

    /// Takes note of so many bytes of the body, and says whether those were all.
    pub(crate) fn is_complete_after(&mut self, bytes: usize) -> bool {
        if self.bytes != u64::MAX {
            self.bytes = self.bytes.saturating_sub(bytes as u64);
        }
        self.bytes == 0
    }

    /// What the end of the body means: a body that gave less than its head promised did not complete.
    pub(crate) fn ended(&self) -> Outcome {
        let short = self.bytes != 0 && self.bytes != u64::MAX;
        if short { Outcome::Failed } else { Outcome::Completed }
    }

    /// Ends the request: records it. Dropping it afterwards takes it out of flight.
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        self.recorded = true;
        let records = self.endpoint.records();
        let kind = Kind {
            method: self.method,
            status: self.status,
            auth_type: self.auth_type,
            outcome,
        };
        let duration = self
            .timed
            .then(|| records.clock.now().saturating_duration_since(self.started));
        if let Some(tag) = self.slot.take_route() {
            match records.route(&tag) {
                Some(route) => records.record(&route, kind, duration),
                None => records.record(&records.other, kind, duration),
            }
            return;
        }
        let route = match &self.route {
            Matched::Endpoint => self.endpoint.route.get().unwrap_or(&records.unmatched),
            Matched::Nothing => &records.unmatched,
            Matched::Refused => &records.other,
            Matched::Other(route) => route,
        };
        records.record(route, kind, duration);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if !self.recorded {
            self.finish(self.on_drop);
        }
        self.endpoint.records().in_flight(self.method).end();
    }
}
