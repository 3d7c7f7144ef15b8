//! All of it in two tables.

use super::{
    call::State,
    counts::{self, Counts},
    entries::{BLOCKS, Block, Case, OURS, RESILIENCE},
    method::method,
};
use crate::{
    Result,
    pairs::{self, Added},
    section::{Goal, Section},
    table,
    times::{self, Line, Times},
};

/// Calls of a batch that is timed, on each thread.
pub(super) const BATCH: u32 = 500;

/// What the calls of a block take.
struct Counted {
    base: Counts,
    /// What each breaker adds to that, closed and open.
    added: Vec<(String, [Counts; 2])>,
}

/// What a case adds to the base of its block, where it is timed.
pub(super) struct Timed {
    case: Case,
    times: Times,
}

/// Measures every entry.
pub(crate) fn run() -> Result<Section> {
    let counted = BLOCKS.iter().map(count).collect::<Result<Vec<_>>>()?;
    let timed = BLOCKS.iter().map(time).collect::<Result<Vec<_>>>()?;
    Ok(Section {
        title: "What a circuit breaker adds to each call",
        goals: goals(&counted, &timed),
        text: format!(
            "What a call takes in the first line of each block, and what a breaker adds to that while it is closed and all calls \
             succeed, and while it is open and rejects them:\n\n```text\n{}```\n\n\
             Nanoseconds that a call takes more, with the middle half of the pairs:\n\n```text\n{}```\n\n```text\n{}```\n",
            counts_table(&counted),
            times_table(&timed),
            method(),
        ),
    })
}

/// What our breaker has to keep to around a Tower service.
fn goals(counted: &[Counted], timed: &[Vec<Timed>]) -> Vec<Goal> {
    let counts = counted[0].added.iter().find(|(name, _)| name == OURS);
    let counts = counts.into_iter().flat_map(|(_, [closed, open])| {
        [
            Goal::at_most("breaker: added while closed", closed.instructions, 250.0, "instructions"),
            Goal::at_most("breaker: added while closed", closed.allocations, 0.0, "allocations"),
            Goal::at_most("breaker: added while open", open.instructions, 150.0, "instructions"),
            Goal::at_most("breaker: added while open", open.allocations, 0.0, "allocations"),
        ]
    });
    let times = timed[0].iter().filter(|timed| timed.case.entry.name == OURS);
    let times = times.filter_map(|timed| {
        let what = match timed.case.state {
            State::Closed => "breaker: added time on two threads while closed, of that on one",
            State::Open => "breaker: added time on two threads while open, of that on one",
        };
        Some(Goal::at_most(what, timed.times.two?.of(timed.times.one?), 1.5, "times"))
    });
    counts.chain(times).collect()
}

fn count(block: &Block) -> Result<Counted> {
    let base = counts::of(block.base())?;
    let mut added = Vec::new();
    for entry in block.breakers() {
        let both = |of: fn(Case) -> Result<Counts>| -> Result<[Counts; 2]> {
            let [closed, open] = State::ALL.map(|state| of(Case { entry, state }));
            Ok([closed?.beyond(base), open?.beyond(base)])
        };
        added.push((entry.name.to_owned(), both(counts::of)?));
        if cfg!(feature = "rivals") && entry.name.starts_with(RESILIENCE) {
            added.push((format!("{}, without metrics", entry.name), both(counts::of_without_metrics)?));
        }
    }
    Ok(Counted { base, added })
}

fn time(block: &Block) -> Result<Vec<Timed>> {
    let breakers = block
        .breakers()
        .flat_map(|entry| State::ALL.map(|state| Case { entry, state }))
        .filter(|case| (case.entry.is_timed)(case.state, 1));
    let cases: Vec<Case> = [block.base()].into_iter().chain(breakers).collect();
    let [one, two] = [time_on(&cases, 1)?, time_on(&cases, 2)?];
    let threads = one.into_iter().zip(two);
    let timed = cases.into_iter().zip(threads);
    Ok(timed
        .map(|(case, (one, two))| Timed {
            case,
            times: Times { one, two },
        })
        .collect())
}

/// Those of the cases that are timed on that many threads.
fn time_on(cases: &[Case], threads: usize) -> Result<Vec<Option<Added>>> {
    let is_timed = |case: &&Case| (case.entry.is_timed)(case.state, threads);
    let group: Vec<Case> = cases.iter().filter(is_timed).copied().collect();
    let mut measured = pairs::measure(&group, threads, BATCH)?.into_iter();
    let found = cases.iter().map(|case| is_timed(&case).then(|| measured.next()?).flatten());
    Ok(found.collect())
}

fn counts_table(blocks: &[Counted]) -> String {
    let heading = ["", "closed", "allocations", "bytes", "open", "allocations", "bytes"].map(str::to_owned);
    let rows = BLOCKS.iter().zip(blocks).flat_map(|(block, Counted { base, added })| {
        let base = [
            block.base().entry.name.to_owned(),
            format!("{:.0}", base.instructions),
            format!("{:.1}", base.allocations),
            format!("{:.0}", base.bytes),
            "-".to_owned(),
            "-".to_owned(),
            "-".to_owned(),
        ];
        let added = added.iter().map(|(name, [closed, open])| {
            [
                name.clone(),
                format!("{:+.0}", closed.instructions),
                format!("{:+.1}", closed.allocations),
                format!("{:+.0}", closed.bytes),
                format!("{:+.0}", open.instructions),
                format!("{:+.1}", open.allocations),
                format!("{:+.0}", open.bytes),
            ]
        });
        [base].into_iter().chain(added)
    });
    table::align(&[heading].into_iter().chain(rows).collect::<Vec<_>>())
}

fn times_table(blocks: &[Vec<Timed>]) -> String {
    let lines = blocks.iter().flat_map(|block| {
        block.iter().enumerate().map(move |(place, timed)| {
            let ours = block
                .iter()
                .find(|ours| ours.is_ours() && ours.case.state == timed.case.state);
            Line {
                name: format!("{}, {}", timed.case.entry.name, timed.case.state.name()),
                is_base: place == 0,
                times: timed.times,
                whole: ours.map(|ours| ours.times),
            }
        })
    });
    times::table("ours", 1, lines)
}

impl Timed {
    fn is_ours(&self) -> bool {
        self.case.entry.name.starts_with(OURS)
    }
}
