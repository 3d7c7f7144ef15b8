//! A request from its start to its end.
//!
//! What every request passes through is `inline(always)`, here and where it leads: left to the compiler, whether that is inlined hangs on
//! how many services an application has.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use http::{Extensions, HeaderMap, Method, Request, Response};
use http_body::Body;
use tower_vitals_core::spread::{Lent, Spread};

use crate::{
    AuthType, Outcome, RequestHead,
    ending::{Ending, judge},
    kind::Kind,
    method::KnownMethod,
    records::{Records, Route},
    route::{RouteWith, matched},
    slot::{self, Slot},
};

/// What the clones of one service share. axum makes a service for each route, so the route is nearly always the one of last time.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    records: Arc<Records>,
    route_with: Option<Arc<RouteWith>>,
    /// The route of the first request that had one.
    route: OnceLock<Arc<Route>>,
}

/// A request that is being counted: in flight until it has ended and is recorded.
///
/// It moves from the call into the future and on into the body, so it is small: a cache line. Whoever drops it unfinished ends the
/// request as `on_drop` says.
#[derive(Debug)]
pub(crate) struct Counted {
    endpoint: Lent<Endpoint>,
    /// By the clock's [`nanos`](tower_vitals_core::Clock::nanos).
    started: u64,
    /// Bytes to come, if the head promised a number; if not, what is left of `UNKNOWN`.
    bytes: u64,
    pub(crate) slot: Slot,
    route: Matched,
    /// The labels that are known so far.
    kind: Kind,
    method: KnownMethod,
    timed: bool,
    finished: bool,
    /// The outcome if nothing better comes. It says `panicked` while the service's code runs: only unwinding leaves that standing.
    pub(crate) on_drop: Outcome,
}

/// Which route a request matched, without a reference count that all requests share.
#[derive(Clone, Copy, Debug)]
enum Matched {
    /// The endpoint's.
    Endpoint,
    /// None.
    Nothing,
    /// One that the label's budget refused.
    Refused,
    /// The one with this number among those of the Vitals.
    Other(u32),
}

/// More bytes than can come: even half of them take centuries.
const UNKNOWN: u64 = u64::MAX;

// === impl Endpoint ===

impl Endpoint {
    pub(crate) fn new(records: Arc<Records>, route_with: Option<Arc<RouteWith>>) -> Self {
        Self {
            records,
            route_with,
            route: OnceLock::new(),
        }
    }

    /// Whether a layer further out counts the request already.
    #[inline(always)]
    pub(crate) fn counts_already<B>(&self, request: &Request<B>) -> bool {
        let route = || self.route_of(RequestHead::of(request)).map(Cow::into_owned);
        slot::is_counted(self.records.owner(), route)
    }

    /// The text of a request's route.
    fn route_of<'a>(&self, head: RequestHead<'a>) -> Option<Cow<'a, str>> {
        let told = self.route_with.as_ref().and_then(|route_with| route_with.route(head));
        told.or_else(|| matched(head.extensions).map(Cow::Borrowed))
    }

    /// Finds the route with this text. The first one is kept here for the next requests.
    #[inline]
    fn matched(&self, text: &str) -> Matched {
        match self.route.get() {
            Some(route) if *route.text() == *text => Matched::Endpoint,
            first => self.other(text, first.is_none()),
        }
    }

    #[inline(never)]
    fn other(&self, text: &str, is_first: bool) -> Matched {
        match self.records.route(text) {
            None => Matched::Refused,
            Some(route) if is_first && self.route.set(route.hold()).is_ok() => Matched::Endpoint,
            Some(route) => Matched::Other(route.number()),
        }
    }
}

// === impl Counted ===

impl Counted {
    /// Begins to count a request.
    #[inline(always)]
    pub(crate) fn begin(endpoint: &Spread<Endpoint>, method: &Method, headers: &HeaderMap, extensions: &Extensions) -> Self {
        let endpoint = endpoint.lend();
        let records = &endpoint.records;
        let mut slot = Slot::new(records.owner());
        let mut route = Matched::Nothing;
        if endpoint.route_with.is_none() {
            if let Some(text) = matched(extensions) {
                route = endpoint.matched(text);
                if !matches!(route, Matched::Refused) {
                    slot.set_matched();
                }
            }
        }
        let method = KnownMethod::of(method);
        records.in_flight(method).begin();
        Self {
            started: records.clock.nanos(),
            bytes: UNKNOWN,
            slot,
            route,
            kind: Kind::new(method, AuthType::of(headers)),
            method,
            timed: true,
            finished: false,
            on_drop: Outcome::Panicked,
            endpoint,
        }
    }

    /// Takes the route that the application's hook tells, if there is one. A panic in there finds the request counted. Where there is
    /// none this is one comparison, which belongs in the caller, too.
    #[inline(always)]
    pub(crate) fn ask_for_route<B>(&mut self, request: &Request<B>) {
        if self.endpoint.route_with.is_some() {
            self.take_told_route(RequestHead::of(request));
        }
    }

    fn take_told_route(&mut self, head: RequestHead<'_>) {
        let endpoint = &*self.endpoint;
        if let Some(text) = endpoint.route_of(head) {
            self.route = endpoint.matched(&text);
            if !matches!(self.route, Matched::Refused) {
                self.slot.set_matched();
            }
        }
    }

    /// Takes note of the response's head, and says whether that ended the request.
    #[inline]
    pub(crate) fn is_complete_with<B: Body>(&mut self, response: &Response<B>) -> bool {
        let body = response.body();
        let verdict = judge(self.method, response.status(), response.headers(), body);
        self.kind = self.kind.with_status(response.status());
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
    #[inline]
    pub(crate) fn is_complete_after(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_sub(bytes as u64);
        self.bytes == 0
    }

    /// What the end of the body means: a body that gave less than its head promised did not complete.
    #[inline]
    pub(crate) fn ended(&self) -> Outcome {
        let short = self.bytes != 0 && self.bytes < UNKNOWN / 2;
        if short { Outcome::Failed } else { Outcome::Completed }
    }

    /// Ends a request in a way that is rarer, out of line.
    #[cold]
    pub(crate) fn finish_early(&mut self, outcome: Outcome) {
        self.finish(outcome);
    }

    /// Ends the request: records it, and takes it out of flight.
    #[inline(always)]
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        self.finished = true;
        self.record(self.kind.with_outcome(outcome));
        self.endpoint.records.in_flight(self.method).end();
    }

    #[inline(always)]
    fn record(&self, kind: Kind) {
        let records = &self.endpoint.records;
        let nanos = || self.timed.then(|| records.clock.nanos().saturating_sub(self.started));
        if let Some(tag) = self.slot.tag() {
            return records.record_tagged(tag, kind, nanos());
        }
        let route = match self.route {
            Matched::Endpoint => self.endpoint.route.get().unwrap_or(&records.unmatched),
            Matched::Nothing => &records.unmatched,
            Matched::Refused => &records.other,
            Matched::Other(number) => return records.record_numbered(number, kind, nanos()),
        };
        records.record(route, kind, nanos);
    }
}

impl Drop for Counted {
    #[inline]
    fn drop(&mut self) {
        if !self.finished {
            self.finish_early(self.on_drop);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_a_cache_line_and_its_owner_leaves_room_for_flags() {
        assert!(size_of::<Option<Counted>>() <= 64);
        assert!(align_of::<Records>() >= 4);
    }
}
