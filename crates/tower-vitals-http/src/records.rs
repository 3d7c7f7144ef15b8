//! The families of the request layer, and the series of each route ready to record into.
//!
//! What is recorded together lies together: a route keeps, for each combination of method, status, auth type and outcome that it has
//! seen, the handles of the counter and the histogram. One request looks up one record, by one number.

use std::{
    hash::BuildHasher,
    sync::{Arc, OnceLock},
    time::Duration,
};

use foldhash::fast::RandomState;
use http::StatusCode;
use tower_vitals_core::{
    Bounds, Clock, ClosedLabel, Counter, CounterFamily, Handle, Histogram, HistogramFamily, InFlight, OTHER, RegisterError,
    Vitals, closed_label, label_value,
    table::{Entry, Table},
};

use crate::{AuthType, Outcome, UNMATCHED, method::KnownMethod};

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
    routes: Table<Arc<Route>>,
    hasher: RandomState,
    pub(crate) unmatched: Arc<Route>,
    pub(crate) other: Arc<Route>,
    pub(crate) bounds: Bounds,
}

/// A route and its records.
#[derive(Debug)]
pub(crate) struct Route {
    text: Box<str>,
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

/// What the labels beside the route say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) method: KnownMethod,
    /// None when no head was sent.
    pub(crate) status: Option<StatusCode>,
    pub(crate) auth_type: AuthType,
    pub(crate) outcome: Outcome,
}

closed_label! {
    /// The first digit of a status, or nothing when no head was sent.
    enum StatusClass {
        None => "",
        Class1 => "1xx",
        Class2 => "2xx",
        Class3 => "3xx",
        Class4 => "4xx",
        Class5 => "5xx",
        Other => "other",
    }
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
        let route = |text: &str| Arc::new(Route::new(text));
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
    pub(crate) fn owner(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(crate) fn in_flight(&self, method: KnownMethod) -> &InFlight {
        &self.in_flight[method as usize]
    }

    /// The route with this text; none when the label's budget has no room for it, which is counted.
    pub(crate) fn route(&self, text: &str) -> Option<Entry<Arc<Route>>> {
        let text = &*label_value(text);
        let hash = self.hasher.hash_one(text);
        let is = |route: &Arc<Route>| *route.text == *text;
        if let Some(known) = self.routes.get(hash, is) {
            return Some(known);
        }
        if !self.requests.admits(ROUTE, text) {
            return None;
        }
        self.routes
            .get_or_insert(hash, is, usize::MAX, |_| Arc::new(Route::new(text)))
    }

    /// Records a request of a route. `duration` is given if it belongs into the histogram.
    pub(crate) fn record(&self, route: &Route, kind: Kind, duration: Option<Duration>) {
        if let Some(known) = route.first(kind) {
            return known.record(self, route, duration);
        }
        let hash = kind.hash();
        let is = |record: &Record| record.kind == kind;
        if let Some(known) = route.others.get(hash, is) {
            return known.record(self, route, duration);
        }
        self.record_by_labels(route, kind, duration);
    }

    /// Records a request of a kind that the route has not seen, and keeps its series ready.
    #[cold]
    fn record_by_labels(&self, route: &Route, kind: Kind, duration: Option<Duration>) {
        let (labels, labels_duration) = (kind.labels(&route.text), kind.duration_labels(&route.text));
        let requests = self.requests.with(labels);
        requests.inc();
        if let Some(duration) = duration {
            self.durations.with(labels_duration).observe_duration(duration);
        }
        // What a budget replaced is not kept ready, so that each replacement is counted.
        if self.requests.get(labels).is_some() {
            route.keep(kind, &requests.hold());
        }
    }
}

impl Record {
    fn record(&self, records: &Records, route: &Route, duration: Option<Duration>) {
        self.requests.inc();
        if let Some(duration) = duration {
            let make = || records.durations.with(self.kind.duration_labels(&route.text)).hold();
            self.duration.get_or_init(make).observe_duration(duration);
        }
    }
}

impl Route {
    fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            first: [const { OnceLock::new() }; 4],
            others: Table::new(),
        }
    }

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

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl Kind {
    fn labels<'a>(&'a self, route: &'a str) -> [&'a str; 5] {
        let status = self.status.as_ref().map_or("", StatusCode::as_str);
        [
            self.method.as_str(),
            route,
            status,
            self.auth_type.as_str(),
            self.outcome.as_str(),
        ]
    }

    fn duration_labels<'a>(&self, route: &'a str) -> [&'a str; 3] {
        let class = match self.status.map(|status| status.as_u16() / 100) {
            None => StatusClass::None,
            Some(1) => StatusClass::Class1,
            Some(2) => StatusClass::Class2,
            Some(3) => StatusClass::Class3,
            Some(4) => StatusClass::Class4,
            Some(5) => StatusClass::Class5,
            Some(_) => StatusClass::Other,
        };
        [self.method.as_str(), route, class.as_str()]
    }

    /// All of it in one number, spread over the upper bits.
    fn hash(self) -> u64 {
        let status = self.status.map_or(0, |status| status.as_u16());
        let packed = u64::from(status) << 16 | (self.method as u64) << 8 | (self.auth_type as u64) << 4 | self.outcome as u64;
        packed.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}
