//! The families of one side of a Vitals.

use std::borrow::Cow;

use tower_vitals_core::{
    Counter, CounterFamily, DynamicFamily, Histogram, HistogramFamily, InFlight, InFlightFamily, RegisterError, Vitals,
};

use super::{Records, as_strs};
use crate::{
    Outcome, UNMATCHED,
    grpc::{GrpcCode, KnownCalls},
    kind::Kind,
    names::{Column, FamilyNames, Side},
    principal::Part,
    slo::Verdict,
    streams::StreamKind,
    vocabulary::{Said, Vocabulary},
};

/// A family and what its labels say.
pub(super) type Labelled<I> = (DynamicFamily<I>, Columns);

/// Label names and what they say.
pub(crate) type Columns = Vec<(Cow<'static, str>, Column)>;

/// The families of both sides.
#[derive(Debug)]
pub(crate) struct Families {
    /// None where the durations count the requests.
    pub(crate) requests: Option<Labelled<Counter>>,
    pub(crate) durations: Labelled<Histogram>,
    pub(crate) in_flight: Labelled<InFlight>,
    pub(crate) heads: Labelled<Histogram>,
    pub(crate) request_bytes: Labelled<Histogram>,
    pub(crate) response_bytes: Labelled<Histogram>,
    pub(crate) server: Option<ServerFamilies>,
    requests_expire: bool,
}

/// The families of the server's side alone.
#[derive(Debug)]
pub(crate) struct ServerFamilies {
    pub(crate) streams: InFlightFamily<1>,
    pub(crate) stream_durations: HistogramFamily<3>,
    pub(crate) grpc: CounterFamily<4>,
    pub(crate) slo: CounterFamily<2>,
    pub(crate) conflicts: CounterFamily<1>,
    pub(crate) calls: KnownCalls,
}

/// From 64 bytes to 64 MiB.
const SIZES: [f64; 11] = [
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// From a second to a day.
const STREAM_SECONDS: [f64; 10] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0];

impl Families {
    pub(crate) fn register(vitals: &Vitals, vocabulary: &Vocabulary) -> Result<Self, RegisterError> {
        let tables = vocabulary.tables();
        let histogram = |family: &FamilyNames, bounds: &[f64], rich: bool| -> Result<Labelled<Histogram>, RegisterError> {
            let columns = vocabulary.columns(family, rich);
            let builder = vitals.histogram(family.name, family.help).buckets(bounds);
            Ok((vocabulary.register(builder, &columns)?, columns))
        };
        let requests = match &tables.requests {
            None => None,
            Some(family) => {
                let columns = vocabulary.columns(family, true);
                let mut builder = vitals.counter(family.name, family.help);
                if let Some((series, expiry)) = vocabulary.users_on_requests {
                    builder = builder.series_budget(series);
                    if let Some(idle) = expiry {
                        builder = builder.expire_after(idle);
                    }
                }
                Some((vocabulary.register(builder, &columns)?, columns))
            }
        };
        let in_flight = vocabulary.columns(&tables.in_flight, false);
        let builder = vitals.in_flight(tables.in_flight.name, tables.in_flight.help);
        let bounds = vocabulary.bounds.values();
        Ok(Self {
            durations: histogram(&tables.durations, bounds, requests.is_none())?,
            requests,
            in_flight: (vocabulary.register(builder, &in_flight)?, in_flight),
            heads: histogram(&tables.heads, bounds, false)?,
            request_bytes: histogram(&tables.request_bytes, &SIZES, false)?,
            response_bytes: histogram(&tables.response_bytes, &SIZES, false)?,
            requests_expire: vocabulary.users_on_requests.is_some(),
            server: match vocabulary.side {
                Side::Server => Some(ServerFamilies::register(vitals, vocabulary)?),
                Side::Client => None,
            },
        })
    }

    /// What stands for no route and for no value has its place in the budgets before any other can take it.
    pub(crate) fn reserve(&self, vocabulary: &Vocabulary) {
        let said = Said::of(Kind::new(0, 0), UNMATCHED);
        let reserve = |columns: &Columns, admits: &dyn Fn(usize, &str) -> bool| {
            for (at, (_, column)) in columns.iter().enumerate() {
                if matches!(column, Column::Route | Column::Own(_)) {
                    admits(at, &vocabulary.value(*column, &said));
                }
            }
        };
        if let Some((family, columns)) = &self.requests {
            reserve(columns, &|at, value| family.admits(at, value));
        }
        reserve(&self.durations.1, &|at, value| self.durations.0.admits(at, value));
    }

    /// Whether the families that have a label for the route know this one or have room for it.
    pub(crate) fn admit_route(&self, text: &str) -> bool {
        let place = |columns: &Columns| {
            columns
                .iter()
                .position(|(_, column)| matches!(column, Column::Route | Column::Address))
        };
        let admits = |at: Option<usize>, admits: &dyn Fn(usize) -> bool| at.is_none_or(admits);
        match &self.requests {
            // What expires there makes room, but a route that was met once stays.
            Some((family, columns)) if !self.requests_expire => admits(place(columns), &|at| family.admits(at, text)),
            _ => admits(place(&self.durations.1), &|at| self.durations.0.admits(at, text)),
        }
    }

    /// Whether there is a series of durations with exactly these labels.
    pub(crate) fn has_duration(&self, records: &Records, said: &Said<'_>) -> bool {
        let (family, columns) = &self.durations;
        family.get(&as_strs(&records.vocabulary.values(columns, said))).is_some()
    }
}

impl ServerFamilies {
    fn register(vitals: &Vitals, vocabulary: &Vocabulary) -> Result<Self, RegisterError> {
        Ok(Self {
            grpc: grpc(vitals)?,
            streams: vitals
                .in_flight("http_streams_in_flight", "Streams that are being served")
                .category("http")
                .closed::<StreamKind>("kind")
                .house()
                .labels(["kind"])?,
            stream_durations: vitals
                .histogram(
                    "http_stream_duration_seconds",
                    "Time from the request to the end of its stream",
                )
                .category("http")
                .buckets(STREAM_SECONDS)
                .closed_to("method", vocabulary.methods.values())
                .closed::<StreamKind>("kind")
                .house()
                .labels(["method", "route", "kind"])?,
            slo: vitals
                .counter(
                    "http_slo_requests_total",
                    "Requests to routes with an objective, by whether they met it",
                )
                .category("http")
                .closed::<Verdict>("verdict")
                .house()
                .labels(["route", "verdict"])?,
            conflicts: vitals
                .counter(
                    "http_principal_conflicts_total",
                    "Principals that differed from the one which a request had already",
                )
                .category("http")
                .closed::<Part>("part")
                .house()
                .labels(["part"])?,
            calls: KnownCalls::default(),
        })
    }
}

fn grpc(vitals: &Vitals) -> Result<CounterFamily<4>, RegisterError> {
    let grpc = vitals
        .counter("grpc_requests_total", "gRPC calls served, by the status that was sent")
        .category("http")
        .closed::<GrpcCode>("code")
        .closed::<Outcome>("outcome")
        .house()
        .labels(["service", "method", "code", "outcome"])?;
    // It has its place in the budgets before any name can take it.
    let _ = (grpc.admits(0, UNMATCHED), grpc.admits(1, UNMATCHED));
    Ok(grpc)
}
