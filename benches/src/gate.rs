//! The part `gate`: figures that repeat, held against ceilings that are kept beside this program.
//!
//! A ceiling is the figure that was measured when it was last changed; the commit that changes one says why. The compiler and the lock
//! file are part of what is measured: a change of either may need new ceilings.

use crate::{
    Result, breaker, memory,
    requests::counts,
    scrape::{self, Kind, LIBRARIES, Work},
    websocket,
};

const CEILINGS: &str = include_str!("../ceilings.tsv");

/// By how much a figure may pass its ceiling: where the compiler lays code and what it inlines moves by as much.
const TOLERANCE: f64 = 1.02;

/// A figure and where it comes from.
struct Figure {
    name: String,
    value: f64,
}

/// Measures, prints a line for each figure (name, value, ceiling and unit, between tabs), and fails if one has passed its ceiling.
pub(crate) fn run() -> Result<()> {
    if cfg!(feature = "rivals") {
        return Err(
            "the gate holds figures of a program without the feature rivals, which turns on features of axum that cost time"
                .into(),
        );
    }
    let figures = measure()?;
    let ceilings = CEILINGS.lines().map(Ceiling::read).collect::<Result<Vec<_>>>()?;
    let mut faults = Vec::new();
    for Figure { name, value } in &figures {
        match ceilings.iter().find(|ceiling| ceiling.name == name) {
            Some(ceiling) => {
                println!("{name}\t{value:.1}\t{}\t{}", ceiling.value, ceiling.unit);
                if ceiling.is_passed_by(*value) {
                    faults.push(format!("{name} is more than 2 % above its ceiling"));
                }
            }
            None => faults.push(format!("{name} is {value:.1} and has no ceiling")),
        }
    }
    let unused = ceilings
        .iter()
        .filter(|ceiling| figures.iter().all(|figure| figure.name != ceiling.name));
    faults.extend(unused.map(|ceiling| format!("{} is not measured", ceiling.name)));
    if faults.is_empty() {
        Ok(())
    } else {
        Err(format!("benches/ceilings.tsv: {}", faults.join("; ")).into())
    }
}

fn measure() -> Result<Vec<Figure>> {
    let mut figures = requests()?;
    figures.extend(series()?);
    figures.push(scrape_peak()?);
    figures.extend(breakers()?);
    figures.extend(echoes()?);
    figures.extend(idle_connections()?);
    Ok(figures)
}

/// What a layer adds to each request.
fn requests() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (base, entry, name) in [
        ("bare", "tower-vitals", "request"),
        (
            "bare, without fields",
            "tower-vitals, without fields",
            "request_without_fields",
        ),
        ("bare, with a token", "tower-vitals, with a token", "request_with_token"),
        (
            "tower-vitals, user not told",
            "tower-vitals, user told",
            "request_with_known_user",
        ),
        ("bare service", "tower-vitals outside the router", "request_outside"),
    ] {
        let (base, layered) = (counts::of(base)?, counts::of(entry)?);
        for (unit, value) in [
            ("instructions", layered.instructions - base.instructions),
            ("allocations", layered.heap.allocations - base.heap.allocations),
            ("bytes", layered.heap.bytes - base.heap.bytes),
        ] {
            figures.push(Figure {
                name: format!("{name}_{unit}"),
                value,
            });
        }
    }
    Ok(figures)
}

/// What a series holds.
fn series() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (kind, name) in [
        (Kind::Counters, "counter_series_held"),
        (Kind::Histograms, "histogram_series_held"),
    ] {
        figures.push(Figure {
            name: name.to_owned(),
            value: memory::per_series(&LIBRARIES[0], Work::of_label_sets(kind, 10_000))?,
        });
    }
    Ok(figures)
}

fn scrape_peak() -> Result<Figure> {
    let work = Work {
        kind: Kind::Counters,
        lines: 100_000,
    };
    Ok(Figure {
        name: "scrape_peak".to_owned(),
        value: scrape::heap_of(&LIBRARIES[0], work)?.peak,
    })
}

/// What a breaker adds to each call.
fn breakers() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (base, entry, name) in [
        ("bare service", "tower-vitals", "breaker_service"),
        ("bare service", "tower-vitals, count window", "breaker_count_window"),
        ("bare future", "tower-vitals, future", "breaker_future"),
        ("bare function", "tower-vitals, permit", "breaker_permit"),
    ] {
        for (state, added) in breaker::added(base, entry)? {
            for (unit, value) in [("instructions", added.instructions), ("allocations", added.allocations)] {
                figures.push(Figure {
                    name: format!("{name}_{state}_{unit}"),
                    value,
                });
            }
        }
    }
    Ok(figures)
}

/// What counting adds to each message of a WebSocket that is sent back.
fn echoes() -> Result<Vec<Figure>> {
    const NAMES: [(&str, &str); 5] = [
        ("tower-vitals", "websocket_echo"),
        ("tower-vitals, its methods", "websocket_echo_by_methods"),
        ("tower-vitals, limits", "websocket_echo_with_limits"),
        ("tower-vitals, heartbeat", "websocket_echo_with_heartbeat"),
        ("tower-vitals, outbox", "websocket_echo_with_outbox"),
    ];
    let (_, added) = websocket::added(&NAMES.map(|(entry, _)| entry))?;
    let figures = NAMES.iter().zip(added).flat_map(|((_, name), added)| {
        [("instructions", added.instructions), ("allocations", added.allocations)].map(|(unit, value)| Figure {
            name: format!("{name}_{unit}"),
            value,
        })
    });
    Ok(figures.collect())
}

/// What a connection of ours holds that is idle.
fn idle_connections() -> Result<Vec<Figure>> {
    let ours = websocket::SERVERS.iter().filter_map(|server| Some((server, server.gate?)));
    ours.map(|(server, name)| {
        Ok(Figure {
            name: name.to_owned(),
            value: websocket::held(server)?,
        })
    })
    .collect()
}

struct Ceiling<'a> {
    name: &'a str,
    value: f64,
    unit: &'a str,
}

impl<'a> Ceiling<'a> {
    fn read(line: &'a str) -> Result<Self> {
        match line.split('\t').collect::<Vec<_>>()[..] {
            [name, value, unit] => Ok(Self {
                name,
                value: value
                    .parse()
                    .map_err(|_| format!("benches/ceilings.tsv: {value:?} is no number"))?,
                unit,
            }),
            _ => Err(format!("benches/ceilings.tsv: {line:?} is not a name, a ceiling and a unit between tabs").into()),
        }
    }

    fn is_passed_by(&self, value: f64) -> bool {
        // What is no number passes it, too.
        value > self.value * TOLERANCE || value.is_nan()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_gives_way_by_two_percent() {
        let ceiling = Ceiling::read("requests\t1000\tinstructions").unwrap();
        let passed = [999.0, 1000.0, 1020.0, 1020.5, f64::NAN].map(|value| ceiling.is_passed_by(value));
        assert_eq!(passed, [false, false, false, true, true]);
        for wrong in ["requests\t1000", "requests\tmany\tinstructions"] {
            assert!(Ceiling::read(wrong).is_err());
        }
    }
}
