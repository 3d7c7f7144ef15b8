//! The families of WebSockets.

use std::time::Duration;

use tower_vitals_core::{
    ClosedLabel, Computed, FamilyBuilder, HistogramFamily, Instrument, RegisterError, Vitals, encode::Number,
};

use crate::{
    CloseCause, CodeClass, DropReason, HandshakeOutcome, Initiator, MessageKind,
    endpoint::{Row, VERSIONS},
    ledger::Amount,
};

type Family = Result<Computed<Row>, RegisterError>;

/// From a second to a week.
const DURATIONS: [f64; 12] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0, 259_200.0, 604_800.0,
];

/// What others need of the families.
pub(crate) struct Families {
    /// The name of the family by which overflow is told.
    pub(crate) calls: String,
    pub(crate) durations: HistogramFamily<1>,
}

/// Registers all families; `rows` gives the endpoints at a scrape.
pub(crate) fn register(vitals: &Vitals, rows: impl Fn() -> Vec<Row> + Send + Sync + 'static) -> Result<Families, RegisterError> {
    let connections = connections(vitals)?;
    let calls = connections.descriptor().sample_name().to_string();
    let mut families = vec![connections, handshakes(vitals)?, closed(vitals)?];
    families.extend(received(vitals)?);
    families.extend(amounts(
        vitals,
        ("attempted", "that the application wanted to send"),
        |row| row.messages.sent.attempted,
    )?);
    families.extend(amounts(
        vitals,
        ("flushed", "that were sent as far as this side can tell"),
        |row| row.messages.sent.flushed,
    )?);
    families.extend(dropped(vitals)?);
    families.extend(buffered(vitals)?);
    let help = "How long WebSockets were open";
    let durations = house(vitals.histogram("websocket_connection_duration_seconds", help))
        .buckets(DURATIONS)
        .budget("endpoint", usize::MAX)
        .expire_after(Duration::MAX)
        .labels(["endpoint"])?;
    // Last, since this one is not given again to who tries once more.
    vitals.register_collector(families, rows)?;
    Ok(Families { calls, durations })
}

fn connections(vitals: &Vitals) -> Family {
    let help = "WebSockets that are open";
    house(vitals.gauge("websocket_connections", help)).computed(["endpoint", "http_version"], |row: &Row, samples| {
        for (version, count) in VERSIONS.iter().zip(row.connections) {
            if let Some(count) = count {
                samples.push([&row.endpoint, version], Number::Unsigned(count));
            }
        }
    })
}

fn handshakes(vitals: &Vitals) -> Family {
    let help = "Handshakes of WebSockets, by what came of them";
    house(vitals.counter("websocket_handshakes_total", help))
        .closed::<HandshakeOutcome>("outcome")
        .computed(["endpoint", "outcome"], |row: &Row, samples| {
            for (outcome, count) in &row.handshakes {
                samples.push_since([&row.endpoint, outcome], Number::Unsigned(*count), row.made);
            }
        })
}

fn closed(vitals: &Vitals) -> Family {
    let help = "WebSockets that ended, by who ended them, why, and the class of the code that was said";
    house(vitals.counter("websocket_connections_closed_total", help))
        .closed::<Initiator>("initiator")
        .closed::<CloseCause>("cause")
        .closed::<CodeClass>("code")
        .computed(["endpoint", "initiator", "cause", "code"], |row: &Row, samples| {
            for ([initiator, cause, code], count) in &row.closed {
                samples.push_since([&row.endpoint, initiator, cause, code], Number::Unsigned(*count), row.made);
            }
        })
}

fn received(vitals: &Vitals) -> Result<Vec<Computed<Row>>, RegisterError> {
    let mut families = Vec::new();
    for (unit, help, of) in UNITS {
        let help = format!("{help} that the application was given");
        let builder = house(vitals.counter(&format!("websocket_{unit}_received_total"), &help));
        families.push(
            builder
                .closed::<MessageKind>("kind")
                .computed(["endpoint", "kind"], move |row: &Row, samples| {
                    for kind in MessageKind::ALL.iter().copied().filter(|_| row.is_shown) {
                        let count = of(row.messages.received.of(kind));
                        samples.push_since([&row.endpoint, kind.as_str()], Number::Unsigned(count), row.made);
                    }
                })?,
        );
    }
    Ok(families)
}

fn amounts(vitals: &Vitals, (what, says): (&str, &str), of_row: fn(&Row) -> Amount) -> Result<Vec<Computed<Row>>, RegisterError> {
    let mut families = Vec::new();
    for (unit, help, of) in UNITS {
        let builder = vitals.counter(&format!("websocket_{unit}_{what}_total"), &format!("{help} {says}"));
        families.push(house(builder).computed(["endpoint"], move |row: &Row, samples| {
            if row.is_shown {
                samples.push_since([&row.endpoint], Number::Unsigned(of(of_row(row))), row.made);
            }
        })?);
    }
    Ok(families)
}

fn dropped(vitals: &Vitals) -> Result<Vec<Computed<Row>>, RegisterError> {
    let mut families = Vec::new();
    for (unit, help, of) in UNITS {
        let help = format!("{help} that were attempted and not sent, as far as this side can tell");
        let builder = house(vitals.counter(&format!("websocket_{unit}_dropped_total"), &help));
        families.push(
            builder
                .closed::<DropReason>("reason")
                .computed(["endpoint", "reason"], move |row: &Row, samples| {
                    for reason in DropReason::ALL.iter().copied().filter(|_| row.is_shown) {
                        let count = of(row.messages.sent.dropped(reason));
                        samples.push_since([&row.endpoint, reason.as_str()], Number::Unsigned(count), row.made);
                    }
                })?,
        );
    }
    Ok(families)
}

fn buffered(vitals: &Vitals) -> Result<Vec<Computed<Row>>, RegisterError> {
    let mut families = Vec::new();
    for (unit, help, of) in UNITS {
        let help = format!("{help} that wait to be accepted or flushed");
        let builder = house(vitals.gauge(&format!("websocket_buffered_{unit}"), &help));
        families.push(builder.computed(["endpoint"], move |row: &Row, samples| {
            if row.is_shown {
                samples.push([&row.endpoint], Number::Unsigned(of(row.messages.sent.buffered())));
            }
        })?);
    }
    Ok(families)
}

/// How a name and a help text begin, and what of an amount they are about.
type OfUnit = (&'static str, &'static str, fn(Amount) -> u64);

/// What is counted of messages.
const UNITS: [OfUnit; 2] = [
    ("messages", "Messages", |amount| amount.messages),
    ("bytes", "Bytes of messages", |amount| amount.bytes),
];

/// What all families of WebSockets have in common.
fn house<I: Instrument>(builder: FamilyBuilder<I>) -> FamilyBuilder<I> {
    builder.house().category("websocket")
}
