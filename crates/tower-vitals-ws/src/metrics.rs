//! The families of WebSockets.

use std::time::Duration;

use tower_vitals_core::{
    ClosedLabel, Computed, FamilyBuilder, HistogramFamily, Instrument, RegisterError, Vitals, closed_label, encode::Number,
};

use crate::{
    CloseCause, CodeClass, DropReason, HandshakeOutcome, Initiator, MessageKind, Quality,
    connection::Messages,
    endpoint::{Row, VERSIONS},
    ledger::{Amount, SIZES},
};

type Family = Result<Computed<Row>, RegisterError>;

/// From a second to a week.
const DURATIONS: [f64; 12] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0, 259_200.0, 604_800.0,
];

/// From a millisecond to half a minute.
const RTTS: [f64; 14] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// From 100 microseconds to a minute.
const WAITS: [f64; 13] = [
    0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 60.0,
];

/// What others need of the families.
pub(crate) struct Families {
    /// The name of the family by which overflow is told.
    pub(crate) calls: String,
    pub(crate) timings: Timings,
}

/// The histograms of times, of which each endpoint has its own.
pub(crate) struct Timings {
    pub(crate) durations: HistogramFamily<1>,
    pub(crate) flushes: HistogramFamily<1>,
    pub(crate) queue_waits: HistogramFamily<1>,
    pub(crate) rtts: HistogramFamily<1>,
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
    families.push(sizes(vitals)?);
    families.extend(queued(vitals)?);
    families.push(oldest_queued(vitals)?);
    families.push(quality(vitals)?);
    families.push(heartbeat_timeouts(vitals)?);
    let timings = timings(vitals)?;
    // Last, since this one is not given again to who tries once more.
    vitals.register_collector(families, rows)?;
    Ok(Families { calls, timings })
}

fn timings(vitals: &Vitals) -> Result<Timings, RegisterError> {
    let histogram = |name: &str, help: &str, buckets: &[f64]| {
        house(vitals.histogram(name, help))
            .buckets(buckets)
            .budget("endpoint", usize::MAX)
            .expire_after(Duration::MAX)
            .labels(["endpoint"])
    };
    let [flush, queue_wait, rtt] = [
        "How long messages took from being accepted until all of them had left, of one batch of 16",
        "How long messages waited in an outbox, of one in 16",
        "How long pings of heartbeats took to be answered",
    ];
    Ok(Timings {
        durations: histogram(
            "websocket_connection_duration_seconds",
            "How long WebSockets were open",
            &DURATIONS,
        )?,
        flushes: histogram("websocket_flush_seconds", flush, &WAITS)?,
        queue_waits: histogram("websocket_queue_wait_seconds", queue_wait, &WAITS)?,
        rtts: histogram("websocket_ping_rtt_seconds", rtt, &RTTS)?,
    })
}

closed_label! {
    /// Which way a message goes.
    pub(crate) enum Direction {
        /// It came.
        Received => "received",
        /// It was given to the library to be sent.
        Sent => "sent",
    }
}

fn sizes(vitals: &Vitals) -> Family {
    let help = "Bytes of the payloads of messages that came, and of those that were given to the library to be sent";
    house(vitals.histogram("websocket_message_size_bytes", help))
        .buckets(SIZES)
        .closed::<Direction>("direction")
        .computed_histogram(["endpoint", "direction"], |row: &Row, samples| {
            if !row.is_shown {
                return;
            }
            let Messages { sent, received } = &row.messages;
            for (direction, sizes, sum) in [
                (Direction::Received, &received.sizes, received.all().bytes),
                (Direction::Sent, &sent.sizes, sent.given.bytes),
            ] {
                let labels = [row.endpoint.as_str(), direction.as_str()];
                samples.push_since(labels, sizes, Number::Unsigned(sum), row.made);
            }
        })
}

fn quality(vitals: &Vitals) -> Family {
    let help = "WebSockets that are open, by how well they are doing";
    house(vitals.gauge("websocket_connection_quality", help))
        .closed::<Quality>("quality")
        .computed(["endpoint", "quality"], |row: &Row, samples| {
            for (quality, count) in Quality::ALL.iter().zip(row.qualities).filter(|_| row.is_shown) {
                samples.push([&row.endpoint, quality.as_str()], Number::Unsigned(count));
            }
        })
}

fn heartbeat_timeouts(vitals: &Vitals) -> Family {
    let help = "WebSockets that were closed because nothing came when they were asked whether they are there";
    house(vitals.counter("websocket_heartbeat_timeouts_total", help)).computed(["endpoint"], |row: &Row, samples| {
        if row.is_shown {
            samples.push_since([&row.endpoint], Number::Unsigned(row.heartbeat_timeouts), row.made);
        }
    })
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

fn queued(vitals: &Vitals) -> Result<Vec<Computed<Row>>, RegisterError> {
    let mut families = Vec::new();
    for (name, (_, help, of)) in ["websocket_queue_depth", "websocket_queue_bytes"].iter().zip(UNITS) {
        let help = format!("{help} that wait in outboxes, or for room in them");
        families.push(
            house(vitals.gauge(name, &help)).computed(["endpoint"], move |row: &Row, samples| {
                if row.is_shown {
                    samples.push([&row.endpoint], Number::Unsigned(of(row.messages.sent.queued)));
                }
            })?,
        );
    }
    Ok(families)
}

fn oldest_queued(vitals: &Vitals) -> Family {
    let help = "For how long the message waits that waits longest in an outbox";
    house(vitals.gauge("websocket_oldest_queued_seconds", help)).computed(["endpoint"], |row: &Row, samples| {
        if row.is_shown {
            samples.push([&row.endpoint], Number::Nanos(row.oldest_queued.into()));
        }
    })
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
