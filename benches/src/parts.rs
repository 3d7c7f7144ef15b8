//! The parts by name.

use crate::{
    Result, breaker, gate, memory, requests, results, scrape,
    section::{self, Section},
    stall, websocket,
};

/// How the program is called.
pub const USAGE: &str = "\
usage: cargo run --release -p benches [--features rivals] -- PART

parts:
  requests  what a layer adds to each request: instructions, allocations, time, throughput
  scrape    what a scrape costs: time, bytes, heap
  stall     how long a scrape can hold up whoever records
  memory    what a series takes, and what stays when a label takes ten million values
  breaker   what a circuit breaker adds to each call: instructions, allocations, time
  websocket what counting and an outbox add to each message or save, and what an idle connection holds
  all       all of these with the feature `rivals`, written to benches/RESULTS.md
  gate      what repeats, held against benches/ceilings.tsv

With the feature `rivals`, what others have made for the same work is measured beside ours.";

/// A part that finds figures.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Result<Section>,
    child: fn(&[&str]) -> Result<()>,
}

pub(crate) const PARTS: [Part; 6] = [
    Part {
        name: "requests",
        run: requests::run,
        child: requests::child,
    },
    Part {
        name: "scrape",
        run: scrape::run,
        child: scrape::child,
    },
    Part {
        name: "stall",
        run: stall::run,
        child: stall::child,
    },
    Part {
        name: "memory",
        run: memory::run,
        child: memory::child,
    },
    Part {
        name: "breaker",
        run: breaker::run,
        child: breaker::child,
    },
    Part {
        name: "websocket",
        run: websocket::run,
        child: websocket::child,
    },
];

/// Whether there is such a part.
#[must_use]
pub fn exists(part: &str) -> bool {
    matches!(part, "all" | "gate") || has_children(part)
}

/// Whether there is such a part and it starts this program with further arguments.
#[must_use]
pub fn has_children(part: &str) -> bool {
    PARTS.iter().any(|known| known.name == part)
}

/// Runs a part and prints what it found.
///
/// # Errors
/// What could not be measured, and why.
pub fn run(part: &str) -> Result<()> {
    match part {
        "all" => results::run(),
        "gate" => gate::run(),
        _ => {
            let section = (find(part)?.run)()?;
            println!("## {}\n\n{}", section.title, section.text);
            println!("```text\n{}```", section::goals([&section]));
            Ok(())
        }
    }
}

/// Does what a part starts this program for.
///
/// # Errors
/// What could not be done, and why.
pub fn child(part: &str, arguments: &[&str]) -> Result<()> {
    (find(part)?.child)(arguments)
}

fn find(part: &str) -> Result<&'static Part> {
    PARTS
        .iter()
        .find(|known| known.name == part)
        .ok_or_else(|| format!("no part {part:?}").into())
}
