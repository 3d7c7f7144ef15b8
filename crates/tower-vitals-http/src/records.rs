//! The families of the request layer, and the series of each route ready to record into.
//!
//! What is recorded together lies together: a route keeps, for each combination of method, status, auth type and outcome that it has
//! seen, the handles of the counter and the histogram. One request looks up one record, by one number.

use std::{
    hash::BuildHasher,
    sync::{Arc, OnceLock},
};

use foldhash::fast::RandomState;
use tower_vitals_core::{
    Bounds, Clock, ClosedLabel, Counter, CounterFamily, Handle, Histogram, HistogramFamily, InFlight, OTHER, RegisterError,
    Vitals, label_value,
    table::{Entry, Table},
};

use crate::{
    AuthType, Outcome, UNMATCHED,
    kind::{Kind, StatusClass},
    method::KnownMethod,
};

const CATEGORY: &str = "http";

/// Where the label `route` stands among those of both families.
const ROUTE: usize = 1;

/// More records than this a route does not keep ready; further ones are found by their labels.
const MOST_RECORDS: usize = 1024;

/// The request metrics of one Vitals. All its layers share them.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) clock: Clock,
    requests: CounterFamily<5>,
    durations: HistogramFamily<3>,
    in_flight: [Handle<InFlight>; KnownMethod::ALL.len()],
    routes: Table<Route>,
    hasher: RandomState,
    pub(crate) unmatched: Arc<Route>,
    pub(crate) other: Arc<Route>,
    pub(crate) bounds: Bounds,
}

/// A route and its records.
#[derive(Debug)]
pub(crate) struct Route {
    text: Box<str>,
    /// Its place among the routes of the Vitals.
    number: u32,
    /// The kinds that came first, which are nearly always all that come often: a few comparisons find them.
    first: [OnceLock<Record>; 4],
    others: Table<Record>,
}

/// The series into which requests of one kind are recorded.
#[derive(Debug)]
struct Record {
    kind: Kind,
    requests: Handle<Counter>,
    /// Made when the first duration comes: upgrades and streams have none.
    duration: OnceLock<Handle<Histogram>>,
}

impl Records {
    pub(crate) fn register(vitals: &Vitals, bounds: Bounds) -> Result<Self, RegisterError> {
        let in_flight = vitals
            .in_flight("http_requests_in_flight", "Requests that are being served")
            .category(CATEGORY)
            .closed::<KnownMethod>("method")
            .house()
            .labels(["method"])?;
        let requests = vitals
            .counter("http_requests_total", "Requests served, by how they ended")
            .category(CATEGORY)
            .closed::<KnownMethod>("method")
            // All that there are: an application's budget for its own labels is not for these.
            .budget("status", 1_000)
            .closed::<AuthType>("auth_type")
            .closed::<Outcome>("outcome")
            .house()
            .labels(["method", "route", "status", "auth_type", "outcome"])?;
        let durations = vitals
            .histogram(
                "http_request_duration_seconds",
                "Time from the request to the end of its response",
            )
            .category(CATEGORY)
            .buckets(bounds.values())
            .closed::<KnownMethod>("method")
            .closed::<StatusClass>("status_class")
            .house()
            .labels(["method", "route", "status_class"])?;
        // It has its place in the budgets before any route can take it.
        let _ = (requests.admits(ROUTE, UNMATCHED), durations.admits(ROUTE, UNMATCHED));
        // They are not among the others, so their number does not matter.
        let route = |text: &str| Arc::new(Route::new(text, 0));
        Ok(Self {
            clock: vitals.clock().clone(),
            requests,
            durations,
            in_flight: KnownMethod::ALL.map(|method| in_flight.with([method.as_str()]).hold()),
            routes: Table::new(),
            hasher: RandomState::default(),
            unmatched: route(UNMATCHED),
            other: route(OTHER),
            bounds,
        })
    }

    /// Tells these records from those of another Vitals.
    #[inline]
    pub(crate) fn owner(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    #[inline]
    pub(crate) fn in_flight(&self, method: KnownMethod) -> &InFlight {
        &self.in_flight[method as usize]
    }

    /// The route with this text; none when the label's budget has no room for it, which is counted.
    pub(crate) fn route(&self, text: &str) -> Option<Entry<Route>> {
        let text = &*label_value(text);
        let hash = self.hasher.hash_one(text);
        let is = |route: &Route| *route.text == *text;
        if let Some(known) = self.routes.get(hash, is) {
            return Some(known);
        }
        if !self.requests.admits(ROUTE, text) {
            return None;
        }
        self.routes
            .get_or_insert(hash, is, usize::MAX, |number| Route::new(text, number))
    }

    /// Records a request of a route. `nanos` tells how long it took, if that belongs into the histogram.
    #[inline(always)]
    pub(crate) fn record(&self, route: &Route, kind: Kind, nanos: impl FnOnce() -> Option<u64>) {
        match route.first(kind) {
            Some(known) => known.record(self, route, nanos()),
            None => self.record_rarer(route, kind, nanos()),
        }
    }

    /// Records a request whose route code further in gave.
    #[cold]
    pub(crate) fn record_tagged(&self, tag: &str, kind: Kind, nanos: Option<u64>) {
        match self.route(tag) {
            Some(route) => self.record(&route, kind, || nanos),
            None => self.record(&self.other, kind, || nanos),
        }
    }

    /// Records a request of the route with this number.
    pub(crate) fn record_numbered(&self, number: u32, kind: Kind, nanos: Option<u64>) {
        // Routes are never removed.
        let route = self.routes.slot(number as usize);
        self.record(route.as_deref().unwrap_or(&self.other), kind, || nanos);
    }

    #[cold]
    fn record_rarer(&self, route: &Route, kind: Kind, nanos: Option<u64>) {
        match route.others.get(kind.hash(), |record| record.kind == kind) {
            Some(known) => known.record(self, route, nanos),
            None => self.record_by_labels(route, kind, nanos),
        }
    }

    /// Records a request of a kind that the route has not seen, and keeps its series ready.
    #[cold]
    fn record_by_labels(&self, route: &Route, kind: Kind, nanos: Option<u64>) {
        let status = kind.status();
        let labels = kind.labels(&route.text, status.as_ref());
        let requests = self.requests.with(labels);
        requests.inc();
        if let Some(nanos) = nanos {
            self.durations.with(kind.duration_labels(&route.text)).observe_nanos(nanos);
        }
        // What a budget replaced is not kept ready, so that each replacement is counted.
        if self.requests.get(labels).is_some() {
            route.keep(kind, &requests.hold());
        }
    }
}

impl Record {
    #[inline]
    fn record(&self, records: &Records, route: &Route, nanos: Option<u64>) {
        self.requests.inc();
        if let Some(nanos) = nanos {
            match self.duration.get() {
                Some(known) => known.observe_nanos(nanos),
                None => self.first_duration(records, route).observe_nanos(nanos),
            }
        }
    }

    #[cold]
    fn first_duration(&self, records: &Records, route: &Route) -> &Handle<Histogram> {
        self.duration
            .get_or_init(|| records.durations.with(self.kind.duration_labels(&route.text)).hold())
    }
}

impl Route {
    fn new(text: &str, number: usize) -> Self {
        Self {
            text: text.into(),
            number: u32::try_from(number).unwrap_or(u32::MAX),
            first: [const { OnceLock::new() }; 4],
            others: Table::new(),
        }
    }

    #[inline]
    fn first(&self, kind: Kind) -> Option<&Record> {
        self.first.iter().map_while(OnceLock::get).find(|record| record.kind == kind)
    }

    fn keep(&self, kind: Kind, requests: &Handle<Counter>) {
        let record = || Record {
            kind,
            requests: requests.clone(),
            duration: OnceLock::new(),
        };
        // Two threads may come with the same kind. The place that one of them takes is the place of both.
        for place in &self.first {
            if place.get_or_init(record).kind == kind {
                return;
            }
        }
        self.others
            .get_or_insert(kind.hash(), |known| known.kind == kind, MOST_RECORDS, |_| record());
    }

    #[inline]
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    #[inline]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}
