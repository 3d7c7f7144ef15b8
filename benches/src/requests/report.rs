//! All of it in three tables.

use super::{
    counts::{self, Counts},
    entries::{Entry, OURS, ROUTERS, SERVICES, UNLABELLED, WITH_TOKEN, WITH_USER, WITHOUT_FIELDS},
    method::method,
    throughput::{self, Throughput},
};
use crate::{
    Result,
    pairs::{self, Added},
    section::{Goal, Section},
    table, times,
};

/// Requests of a batch that is timed, on each thread.
pub(super) const BATCH: u32 = 500;

/// Figures of each entry of a group, in its order.
pub(super) type Found<T> = Vec<(&'static Entry, T)>;

/// What an entry adds on one thread, and on two at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) one: Added,
    pub(super) two: Added,
}

/// Measures every entry.
pub(crate) fn run() -> Result<Section> {
    let counted = [
        count(ROUTERS)?,
        count(WITH_TOKEN)?,
        count(WITHOUT_FIELDS)?,
        count(WITH_USER)?,
        count(SERVICES)?,
    ];
    let timed = [time(ROUTERS)?, time(WITH_TOKEN)?, time(SERVICES)?];
    let throughput: Found<Throughput> = ROUTERS.iter().zip(throughput::measure(ROUTERS)?).collect();
    let text = format!(
        "What a request takes, and what that is more than in the first line of its block:\n\n{}\n\
         Nanoseconds that a request takes more, with the middle half of the pairs:\n\n{}\n\
         Requests a second over loopback, with the middle half of the rounds:\n\n{}\n{}",
        fence(&counts_table(&counted)),
        fence(&times_table(&timed)),
        fence(&throughput_table(&throughput)),
        fence(&method(&counted, &timed)?),
    );
    Ok(Section {
        title: "What a layer adds to each request",
        goals: goals(&timed[0])?,
        text,
    })
}

/// What our layer has to keep to, beside the counts that the gate holds.
fn goals(timed: &Found<Times>) -> Result<Vec<Goal>> {
    let (unlabelled, ours) = (get(timed, UNLABELLED)?, get(timed, OURS)?);
    Ok(vec![
        Goal::at_most(
            "request: added time, of what unlabelled atomics add",
            ours.one.of(unlabelled.one),
            1.3,
            "times",
        ),
        Goal::at_most(
            "request: added time on two threads, of that on one",
            ours.two.of(ours.one),
            1.2,
            "times",
        ),
    ])
}

fn get<'a, T>(found: &'a Found<T>, name: &str) -> Result<&'a T> {
    let found = found.iter().find(|(entry, _)| entry.name == name);
    Ok(&found.ok_or_else(|| format!("{name} was not measured"))?.1)
}

fn fence(text: &str) -> String {
    format!("```text\n{}\n```\n", text.trim_end())
}

fn count(group: &'static [Entry]) -> Result<Found<Counts>> {
    group.iter().map(|entry| Ok((entry, counts::of(entry.name)?))).collect()
}

fn time(group: &'static [Entry]) -> Result<Found<Times>> {
    let [one, two] = [pairs::measure(group, 1, BATCH)?, pairs::measure(group, 2, BATCH)?];
    let timed = group.iter().zip(one.into_iter().zip(two));
    let timed = timed.map(|(entry, threads)| match threads {
        (Some(one), Some(two)) => Ok((entry, Times { one, two })),
        _ => Err(format!("{}: no batch ran undisturbed", entry.name).into()),
    });
    timed.collect()
}

fn counts_table(blocks: &[Found<Counts>]) -> String {
    let heading = ["", "instructions", "added", "allocations", "added", "bytes", "added"].map(str::to_owned);
    let rows = blocks.iter().flat_map(|block| {
        let (_, base) = block[0];
        block.iter().map(move |(entry, found)| {
            [
                entry.name.to_owned(),
                format!("{:.0}", found.instructions),
                format!("{:+.0}", found.instructions - base.instructions),
                format!("{:.1}", found.heap.allocations),
                format!("{:+.1}", found.heap.allocations - base.heap.allocations),
                format!("{:.0}", found.heap.bytes),
                format!("{:+.0}", found.heap.bytes - base.heap.bytes),
            ]
        })
    });
    table::align(&[heading].into_iter().chain(rows).collect::<Vec<_>>())
}

fn times_table(blocks: &[Found<Times>]) -> String {
    let lines = blocks.iter().flat_map(|block| {
        let unlabelled = block.iter().find(|(entry, _)| entry.name == UNLABELLED);
        block.iter().enumerate().map(move |(place, (entry, times))| times::Line {
            name: entry.name.to_owned(),
            is_base: place == 0,
            times: times.to_show(),
            whole: unlabelled.map(|(_, unlabelled)| unlabelled.to_show()),
        })
    });
    times::table("unlabelled", 0, lines)
}

impl Times {
    fn to_show(self) -> times::Times {
        let (one, two) = (Some(self.one), Some(self.two));
        times::Times { one, two }
    }
}

fn throughput_table(found: &Found<Throughput>) -> String {
    let heading = ["", "a second", "of bare", "half"].map(str::to_owned);
    let rows = found.iter().map(|(entry, found)| {
        [
            entry.name.to_owned(),
            format!("{:.0}", found.rate),
            format!("{:.3}", found.of_base.median),
            found.of_base.spread(3),
        ]
    });
    table::align(&[heading].into_iter().chain(rows).collect::<Vec<_>>())
}
