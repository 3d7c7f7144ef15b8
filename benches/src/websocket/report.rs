//! All of it in tables.

use super::{
    counts::{self, Counts},
    entries::{ENTRIES, Entry, OURS},
    idle,
    loopback::{self, Found, LOADS, Load},
    method::method,
    servers,
};
use crate::{
    Result,
    section::{Goal, Section},
    table,
};

/// Measures every entry and every server.
pub(crate) fn run() -> Result<Section> {
    let counted = count()?;
    let held = servers::ALL
        .iter()
        .map(|server| Ok((server.name, idle::held(server)?)))
        .collect::<Result<Vec<_>>>()?;
    let timed = LOADS.map(|load| Ok::<_, Box<dyn std::error::Error>>((load, loopback::measure(load)?)));
    let timed = timed.into_iter().collect::<Result<Vec<_>>>()?;
    let loads: String = timed.iter().map(times_table).collect();
    Ok(Section {
        title: "What a WebSocket takes",
        goals: goals(&counted).into_iter().chain(goals_of_outbox(&timed)).collect(),
        text: format!(
            "What an echo in memory takes in the first line, and what the others add to that:\n\n```text\n{}```\n\n\
             What an idle connection of a server holds on the heap:\n\n```text\n{}```\n\n\
             What servers get through over loopback, and what of the processor each message takes there, with the middle half of the \
             rounds as parts of what the first server had in the same round:\n\n{loads}```text\n{}```\n",
            counts_table(&counted),
            held_table(&held),
            method(),
        ),
    })
}

/// Entries with what they take: the first alone, the others beyond it.
type Counted = Vec<(&'static Entry, Counts)>;

fn count() -> Result<Counted> {
    let mut counted = Counted::new();
    for entry in ENTRIES {
        let counts = counts::of(entry)?;
        let base = counted.first().map(|(_, base)| *base);
        counted.push((entry, base.map_or(counts, |base| counts.beyond(base))));
    }
    Ok(counted)
}

/// What counting has to keep to.
fn goals(counted: &Counted) -> Vec<Goal> {
    let raw = counted[0].1.instructions;
    let ours = counted.iter().filter(|(entry, _)| entry.name.starts_with(OURS));
    ours.filter(|(entry, _)| entry.name == OURS)
        .flat_map(|(_, counts)| {
            let part = 100.0 * counts.instructions / raw;
            [
                Goal::at_most("websocket: added to an echo, of its instructions", part, 2.0, "percent"),
                Goal::at_most("websocket: added to an echo", counts.allocations, 0.0, "allocations"),
            ]
        })
        .collect()
}

/// What an outbox has to keep to, beside a server that sends each message by itself.
fn goals_of_outbox(timed: &[(Load, Vec<Found>)]) -> Vec<Goal> {
    let place = servers::timed().position(|server| server.name == servers::OUTBOX);
    let of = |load: usize, figure: fn(&Found) -> f64| {
        let found = place.and_then(|place| timed.get(load)?.1.get(place));
        found.map_or(f64::NAN, figure)
    };
    let rate = of(0, |found| 1.0 / found.rate_of_base.median);
    let nanos = |load| of(load, |found| found.nanos_of_base.median);
    vec![
        Goal::at_most("websocket: time of the outbox, 32 at a time", rate, 1.0 / 6.0, "parts"),
        Goal::at_most(
            "websocket: processor of the outbox, one at a time on 16",
            nanos(1),
            1.15,
            "parts",
        ),
        Goal::at_most(
            "websocket: processor of the outbox, one at a time on one",
            nanos(2),
            1.10,
            "parts",
        ),
    ]
}

fn times_table((load, found): &(Load, Vec<Found>)) -> String {
    let heading = [
        load.name,
        "messages a second",
        "of the first",
        "middle half",
        "ns",
        "of the first",
        "middle half",
    ];
    let rows = servers::timed().zip(found).map(|(server, found)| {
        [
            server.name.to_owned(),
            format!("{:.0}", found.rate),
            format!("{:.2}", found.rate_of_base.median),
            found.rate_of_base.spread(2),
            format!("{:.0}", found.nanos),
            format!("{:.2}", found.nanos_of_base.median),
            found.nanos_of_base.spread(2),
        ]
    });
    let rows: Vec<_> = [heading.map(str::to_owned)].into_iter().chain(rows).collect();
    format!("```text\n{}```\n\n", table::align(&rows))
}

fn counts_table(counted: &Counted) -> String {
    let heading = ["", "instructions", "percent", "allocations", "bytes"].map(str::to_owned);
    let raw = counted[0].1.instructions;
    let rows = counted.iter().enumerate().map(|(place, (entry, counts))| {
        let name = entry.name.to_owned();
        let Counts {
            instructions,
            allocations,
            bytes,
        } = counts;
        if place == 0 {
            [
                name,
                format!("{instructions:.0}"),
                "100.0".to_owned(),
                format!("{allocations:.2}"),
                format!("{bytes:.1}"),
            ]
        } else {
            [
                name,
                format!("{instructions:+.0}"),
                format!("{:+.1}", 100.0 * instructions / raw),
                format!("{allocations:+.2}"),
                format!("{bytes:+.1}"),
            ]
        }
    });
    table::align(&[heading].into_iter().chain(rows).collect::<Vec<_>>())
}

fn held_table(held: &[(&'static str, f64)]) -> String {
    let heading = ["", "bytes"].map(str::to_owned);
    let rows = held.iter().map(|(name, bytes)| [(*name).to_owned(), format!("{bytes:.0}")]);
    table::align(&[heading].into_iter().chain(rows).collect::<Vec<_>>())
}
