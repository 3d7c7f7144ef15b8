//! A request ends.

use super::{Counted, Extra};
use crate::{
    Outcome,
    endpoint::Matched,
    kind::Kind,
    records::{Records, Route},
    rules::Ruled,
    streams::StreamKind,
    vocabulary::Said,
};

/// How a request ended, and when.
#[derive(Clone, Copy, Debug)]
struct End {
    kind: Kind,
    outcome: Outcome,
    now: u64,
    /// In nanoseconds.
    took: u64,
}

impl Counted {
    /// Ends a request in a way that is rarer, out of line.
    #[cold]
    pub(crate) fn finish_early(&mut self, outcome: Outcome) {
        self.finish(outcome);
    }

    /// Ends the request: records it, and takes it out of flight.
    #[inline(always)]
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        self.on_drop = None;
        if self.special & Self::SPECIAL == 0 {
            self.record(outcome);
        } else {
            self.record_all(outcome);
        }
        self.endpoint.end(self.in_flight, self.kind);
    }

    #[inline(always)]
    fn record(&self, outcome: Outcome) {
        let kind = self.kind.with_outcome(outcome);
        let records = &*self.endpoint.records;
        let now = if self.timed { records.clock.nanos() } else { 0 };
        let nanos = || self.timed.then(|| now.saturating_sub(self.started));
        match self.endpoint.at_hand(self.route) {
            Some(route) => route.record(records, kind, nanos),
            None => self.record_numbered(kind, nanos()),
        }
        if self.special != 0 {
            self.record_id(kind, outcome, now);
        }
    }

    /// Records a request whose route has to be looked up.
    #[inline(never)]
    fn record_numbered(&self, kind: Kind, nanos: Option<u64>) {
        let records = &*self.endpoint.records;
        self.endpoint
            .with_route(self.route, |route| route.record(records, kind, || nanos));
    }

    #[inline]
    fn end(&self, outcome: Outcome) -> End {
        let now = self.endpoint.records.clock.nanos();
        End {
            kind: self.kind.with_outcome(outcome),
            outcome,
            now,
            took: now.saturating_sub(self.started),
        }
    }

    /// Counts the request for its ID. `now` is zero where nobody has looked at the clock.
    #[inline(never)]
    fn record_id(&self, kind: Kind, outcome: Outcome, now: u64) {
        if now == 0 {
            return self.record_id(kind, outcome, self.endpoint.records.clock.nanos().max(1));
        }
        if let (Some(id), Some(ids)) = (&self.id, self.endpoint.records.ids.get()) {
            ids.record(id, kind.auth_type(), outcome, now);
        }
    }

    /// Records a request of which more is known than its kind.
    #[cold]
    fn record_all(&mut self, outcome: Outcome) {
        self.take_from_handle();
        self.place_labels();
        let extra = self.extra.take().unwrap_or_default();
        self.timed &= !extra.streamed_messages();
        let end = self.end(outcome);
        let records = &*self.endpoint.records;
        if let Some(call) = &extra.grpc {
            records.learn_call(call, outcome);
        }
        let own = extra.own.as_slice();
        let user = self.user().map_or("", |user| user.text());
        self.with_final_route(&extra, |route, ruled| {
            if ruled.skip {
                return;
            }
            let route_text = route.text();
            let kind = end.kind;
            let said = Said {
                kind,
                route: route_text,
                user,
                own,
            };
            let nanos = self.timed.then_some(end.took);
            if records.is_rich {
                Route::record_said(records, &said, nanos);
            } else {
                route.record(records, kind, || nanos);
            }
            self.record_extra(&extra, &said, end);
            self.record_id(kind, outcome, end.now);
            if let (Some(api_key), Some(ids)) = (&extra.api_key, records.ids.get()) {
                ids.record(api_key, kind.auth_type(), end.outcome, end.now);
            }
            if let Some(slo) = ruled.slo.filter(|_| self.timed) {
                records.judge(route_text, slo, (end.outcome, kind.status(), end.took));
            }
        });
    }

    /// What goes into families of its own.
    fn record_extra(&self, extra: &Extra, said: &Said<'_>, end: End) {
        let records = &*self.endpoint.records;
        if self.endpoint.options.as_ref().is_some_and(|options| options.bytes) {
            let received = extra.received.as_ref().map(|received| received.bytes());
            records.observe_bytes(said, received, extra.sent);
        }
        let streamed = extra.streamed_messages();
        if let Some(kind) = extra
            .stream
            .as_ref()
            .map(|stream| stream.kind)
            .or(streamed.then_some(StreamKind::Grpc))
        {
            records.observe_stream(said, kind, end.took);
        }
        if let Some(call) = &extra.grpc {
            records.count_call(call, said.route, end.outcome, streamed);
        }
    }

    /// Does something with the route as it turned out, and with what the rules say of it.
    fn with_final_route(&self, extra: &Extra, f: impl FnOnce(&Route, Ruled)) {
        let records = &*self.endpoint.records;
        let call = extra.grpc.as_ref().filter(|_| self.route == Matched::NOTHING);
        let path = || Some(call.filter(|call| records.knows_call(call))?.path());
        match extra.tag.as_deref().or_else(path) {
            Some(name) => {
                let ruling = self.endpoint.ruling(name);
                with_named(records, ruling.label, |route| f(route, ruling.ruled()));
            }
            None => self.endpoint.with_route(self.route, |route| f(route, extra.ruled)),
        }
    }

    /// Does something with the labels as they are known so far.
    pub(super) fn with_said(&self, f: impl FnOnce(&Said<'_>)) {
        let empty = Extra::default();
        let extra = self.extra.as_deref().unwrap_or(&empty);
        self.with_final_route(extra, |route, ruled| {
            if !ruled.skip {
                f(&Said::of(self.kind, route.text()));
            }
        });
    }
}

fn with_named<R>(records: &Records, name: &str, f: impl FnOnce(&Route) -> R) -> R {
    let route = records.route(name);
    f(route.as_deref().unwrap_or(&records.other))
}
