//! What a scrape shows of breakers: all families from one look at each breaker.

use std::time::{SystemTime, UNIX_EPOCH};

use tower_vitals_core::{
    ClosedLabel, Computed, FamilyBuilder, FloatGauge, HistogramFamily, Instrument, RegisterError, Vitals, encode::Number,
};

use crate::{
    Mode, Outcome, RejectReason, State, TransitionReason, durations, registry::Status, settings::Settings, shared::Shared,
};

/// The families of a Vitals.
pub(crate) struct Metrics {
    calls: String,
    durations: Option<HistogramFamily<2>>,
}

/// What a scrape sees of a breaker or of a set of keyed ones.
pub(crate) enum Row {
    Breaker(Box<OfBreaker>),
    Set { name: String, evictions: u64, made: SystemTime },
}

pub(crate) struct OfBreaker {
    status: Status,
    made: SystemTime,
    /// The transitions that are shown, and how often each was.
    transitions: Vec<(State, State, TransitionReason, u64)>,
}

type Family = Result<Computed<Row>, RegisterError>;

// === impl Metrics ===

impl Metrics {
    /// Registers what is there for all breakers.
    pub(crate) fn register(vitals: &Vitals, rows: impl Fn() -> Vec<Row> + Send + Sync + 'static) -> Result<Self, RegisterError> {
        let calls = calls(vitals)?;
        let name = calls.descriptor().sample_name().to_string();
        let families = [
            Ok(calls),
            state(vitals),
            mode(vitals),
            rejected(vitals),
            would_reject(vitals),
            transitions(vitals),
            ratio(
                vitals.float_gauge("circuit_breaker_failure_ratio", "Part of the recent calls that failed"),
                |status| status.failure_ratio,
            ),
            ratio(
                vitals.float_gauge("circuit_breaker_slow_ratio", "Part of the recent calls that were slow"),
                |status| status.slow_ratio,
            ),
            half_open_in_flight(vitals),
            timestamp(vitals, ("state_since", "When the breaker's state began"), |status| {
                Some(status.since)
            }),
            timestamp(
                vitals,
                ("open_until", "When the breaker's open time ends, while it is open"),
                |status| status.open_until,
            ),
            evictions(vitals),
        ];
        vitals.register_collector(families.into_iter().collect::<Result<Vec<_>, _>>()?, rows)?;
        Ok(Self {
            calls: name,
            durations: None,
        })
    }

    /// The name of the family of calls.
    pub(crate) fn calls(&self) -> &str {
        &self.calls
    }

    /// The family of durations, which is registered when the first breaker wants it.
    pub(crate) fn durations(&mut self, vitals: &Vitals) -> Result<HistogramFamily<2>, RegisterError> {
        if let Some(known) = &self.durations {
            return Ok(known.clone());
        }
        let family = durations::family(vitals)?;
        Ok(self.durations.insert(family).clone())
    }
}

fn calls(vitals: &Vitals) -> Family {
    let help = "Calls that the circuit breaker let through, by how they ended";
    house(vitals.counter("circuit_breaker_calls_total", help))
        .closed::<Outcome>("outcome")
        .computed(["breaker", "outcome"], |row: &Row, samples| {
            if let Some(OfBreaker { status, made, .. }) = row.breaker() {
                for outcome in Outcome::ALL.iter().copied() {
                    let count = Number::Unsigned(status.calls(outcome));
                    samples.push_since([&status.name, outcome.as_str()], count, *made);
                }
            }
        })
}

fn state(vitals: &Vitals) -> Family {
    let help = "State of the circuit breaker: 0 closed, 1 open, 2 half-open";
    house(vitals.gauge("circuit_breaker_state", help)).computed(["breaker"], |row: &Row, samples| {
        if let Some(OfBreaker { status, .. }) = row.breaker() {
            samples.push([&status.name], Number::Unsigned(status.state.code().into()));
        }
    })
}

fn mode(vitals: &Vitals) -> Family {
    let help = "1 for the mode in which the circuit breaker is, 0 for the others";
    house(vitals.gauge("circuit_breaker_mode", help))
        .closed::<Mode>("mode")
        .computed(["breaker", "mode"], |row: &Row, samples| {
            if let Some(OfBreaker { status, .. }) = row.breaker() {
                for mode in Mode::VALUES {
                    let is_it = status.mode.as_str() == *mode;
                    samples.push([&status.name, mode], Number::Unsigned(is_it.into()));
                }
            }
        })
}

fn rejected(vitals: &Vitals) -> Family {
    let help = "Calls that the circuit breaker rejected";
    by_reason(vitals, "circuit_breaker_rejected_total", help, Status::rejected)
}

fn would_reject(vitals: &Vitals) -> Family {
    let help = "Calls that the circuit breaker let through in shadow mode, and would have rejected otherwise";
    by_reason(vitals, "circuit_breaker_would_reject_total", help, Status::would_reject)
}

fn by_reason(vitals: &Vitals, name: &str, help: &str, count: fn(&Status, RejectReason) -> u64) -> Family {
    house(vitals.counter(name, help)).closed::<RejectReason>("reason").computed(
        ["breaker", "reason"],
        move |row: &Row, samples| {
            if let Some(OfBreaker { status, made, .. }) = row.breaker() {
                for reason in RejectReason::ALL.iter().copied() {
                    let count = Number::Unsigned(count(status, reason));
                    samples.push_since([&status.name, reason.as_str()], count, *made);
                }
            }
        },
    )
}

fn transitions(vitals: &Vitals) -> Family {
    let help = "How often the circuit breaker went from one state into another";
    house(vitals.counter("circuit_breaker_transitions_total", help))
        .closed::<State>("from")
        .closed::<State>("to")
        .closed::<TransitionReason>("reason")
        .computed(["breaker", "from", "to", "reason"], |row: &Row, samples| {
            let Some(OfBreaker {
                status,
                made,
                transitions,
            }) = row.breaker()
            else {
                return;
            };
            for (from, to, reason, count) in transitions {
                let labels = [&*status.name, from.as_str(), to.as_str(), reason.as_str()];
                samples.push_since(labels, Number::Unsigned(*count), *made);
            }
        })
}

fn ratio(builder: FamilyBuilder<FloatGauge>, value: fn(&Status) -> Option<f64>) -> Family {
    house(builder).computed(["breaker"], move |row: &Row, samples| {
        if let Some((status, ratio)) = row.status().and_then(|status| Some((status, value(status)?))) {
            samples.push([&status.name], Number::Float(ratio));
        }
    })
}

fn half_open_in_flight(vitals: &Vitals) -> Family {
    let help = "Probes of the half-open circuit breaker that are on their way";
    house(vitals.gauge("circuit_breaker_half_open_in_flight", help)).computed(["breaker"], |row: &Row, samples| {
        if let Some(status) = row.status() {
            samples.push([&status.name], Number::Unsigned(status.half_open_in_flight.into()));
        }
    })
}

fn timestamp(vitals: &Vitals, (what, help): (&str, &str), value: fn(&Status) -> Option<SystemTime>) -> Family {
    let name = format!("circuit_breaker_{what}_timestamp_seconds");
    house(vitals.float_gauge(&name, help)).computed(["breaker"], move |row: &Row, samples| {
        if let Some((status, time)) = row.status().and_then(|status| Some((status, value(status)?))) {
            let nanos = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
            samples.push([&status.name], Number::Nanos(nanos));
        }
    })
}

fn evictions(vitals: &Vitals) -> Family {
    let help = "Breakers of keys that made room for those of other keys";
    house(vitals.counter("circuit_breaker_evictions_total", help)).computed(["set"], |row: &Row, samples| {
        if let Row::Set { name, evictions, made } = row {
            samples.push_since([name], Number::Unsigned(*evictions), *made);
        }
    })
}

/// What all families of breakers have in common.
pub(crate) fn house<I: Instrument>(builder: FamilyBuilder<I>) -> FamilyBuilder<I> {
    builder.house().category("breaker")
}

// === impl Row ===

impl Row {
    pub(crate) fn of(shared: &Shared, made: SystemTime) -> Self {
        let status = Status::of(shared);
        let is_shown = |reason, count| count > 0 || may_come_by_itself(shared.settings(), reason);
        let transitions = status.each_transition();
        Self::Breaker(Box::new(OfBreaker {
            transitions: transitions
                .filter(|(_, _, reason, count)| is_shown(*reason, *count))
                .collect(),
            status,
            made,
        }))
    }

    /// The status, if it is a breaker.
    pub(crate) fn into_status(self) -> Option<Status> {
        match self {
            Self::Breaker(breaker) => Some(breaker.status),
            Self::Set { .. } => None,
        }
    }

    fn breaker(&self) -> Option<&OfBreaker> {
        match self {
            Self::Breaker(breaker) => Some(breaker),
            Self::Set { .. } => None,
        }
    }

    fn status(&self) -> Option<&Status> {
        self.breaker().map(|breaker| &breaker.status)
    }
}

/// Whether a breaker with these settings can change its state for this reason without an order. What can is shown before it happens, so
/// that the first time is seen as a rise.
fn may_come_by_itself(settings: &Settings, reason: TransitionReason) -> bool {
    match reason {
        TransitionReason::ConsecutiveFailures => settings.trip.consecutive.is_some(),
        TransitionReason::FailureRate => settings.trip.failure_rate.is_some(),
        TransitionReason::SlowCallRate | TransitionReason::ProbesSlow => settings.trip.slow_rate.is_some(),
        TransitionReason::OpenTimeOver
        | TransitionReason::ProbesSucceeded
        | TransitionReason::ProbesFailed
        | TransitionReason::LeaseExpired => true,
        TransitionReason::Forced | TransitionReason::Released | TransitionReason::Disabled | TransitionReason::Reset => false,
    }
}
