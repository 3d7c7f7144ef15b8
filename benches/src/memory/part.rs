use super::{
    distinct::{self, Outcome},
    held,
};
use crate::{
    Result,
    heap::{Heap, Meter},
    scrape::{Kind, Library, Work},
    section::{Goal, Section},
    table, versions,
};

/// Numbers of series.
const SIZES: [usize; 2] = [10_000, 100_000];

/// Measures what series hold, and what a label that takes ever new values makes a process grow.
pub(crate) fn run() -> Result<Section> {
    let heading = ["bytes of heap for each", "counter, 10k", "100k", "histogram, 10k", "100k"].map(str::to_owned);
    let rows = Library::packages().map(row).collect::<Result<Vec<_>>>()?;
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    let outcome = distinct::ask()?;
    Ok(Section {
        title: "What series take",
        goals: vec![Goal::at_most(
            "memory: growth while 10 million values come",
            outcome.growth() as f64 / (1024.0 * 1024.0),
            32.0,
            "MiB",
        )],
        text: format!(
            "```text\n{}```\n\n```text\n{}```\n\n```text\n{}```\n",
            table::align(&rows),
            table::align(&report(outcome)),
            method()
        ),
    })
}

/// Does what a measurement starts this program for.
pub(crate) fn child(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["distinct"] => distinct::answer(),
        _ => Err(format!("nothing to do: {arguments:?}").into()),
    }
}

/// What building the series of a library asks of the heap.
pub(crate) fn on_heap(meter: &dyn Meter, arguments: &[&str]) -> Result<Heap> {
    held::on_heap(meter, arguments)
}

fn row(library: &'static Library) -> Result<[String; 5]> {
    let held = |kind, size: usize| -> Result<String> {
        let bytes = held::per_series(library, Work::of_label_sets(kind, size))?;
        Ok(format!("{bytes:.0}"))
    };
    let [small, large] = SIZES;
    Ok([
        library.package.to_owned(),
        held(Kind::Counters, small)?,
        held(Kind::Counters, large)?,
        held(Kind::Histograms, small)?,
        held(Kind::Histograms, large)?,
    ])
}

fn report(outcome: Outcome) -> [[String; 2]; 6] {
    let mib = |bytes: u64| format!("{:.2}", bytes as f64 / (1024.0 * 1024.0));
    [
        ["distinct values", &distinct::VALUES.to_string()],
        ["resident before, MiB", &mib(outcome.before)],
        ["growth at most, MiB (goal: less than 32)", &mib(outcome.growth())],
        ["series afterwards, `_other` included", &outcome.series.to_string()],
        ["sum of all series", &outcome.total.to_string()],
        ["vitals_label_overflow_total", &outcome.overflow.to_string()],
    ]
    .map(|row| row.map(str::to_owned))
}

fn method() -> String {
    let version = |package: &str| format!("{package} {}", versions::of(package).unwrap_or_else(|| "unknown".into()));
    let packages: Vec<String> = Library::packages().map(|library| version(library.package)).collect();
    format!(
        "command:   cargo run --release -p benches [--features rivals] -- memory
versions:  {rustc}, {packages}
held:      what making the series of the part `scrape` (3 labels; histograms have 11 finite buckets) and recording into each from one
           thread leaves on the heap, divided by their number; by a counting global allocator, in a program of its own. What is
           asked for counts, without what the allocator adds to it. It repeats exactly, but for maps whose hashes are random
distinct:  {threads} threads record {values} values, each once, into a counter whose label has the default budget, in a process
           of its own. Growth is the kernel's highest resident size (VmHWM) at the end less the resident size (VmRSS) just before
           the first value. The run fails unless all series together count every value once, and those beyond the budget count
           as overflow
noise:     resident size comes in pages, and the allocator takes more of them than it is asked for",
        rustc = versions::RUSTC,
        packages = packages.join(", "),
        threads = distinct::THREADS,
        values = distinct::VALUES,
    ) + "\n"
}
