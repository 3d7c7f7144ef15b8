//! How all of it was measured.

use std::thread;

use super::{
    counts::{self, Counts},
    entries::{BARE, OURS, PACKAGES, UNLABELLED},
    report::{BATCH, Found, Times},
    throughput,
};
use crate::{Result, callgrind, method, pairs::PAIRS, versions};

pub(super) fn method(counted: &[Found<Counts>], timed: &[Found<Times>]) -> Result<String> {
    let features = if cfg!(feature = "rivals") { " --features rivals" } else { "" };
    Ok(method::block(&[
        ("command", format!("cargo run --release -p benches{features} -- requests")),
        ("versions", versions()),
        ("request", request()),
        ("entries", entries()),
        ("instructions", instructions(spread(counted)?)),
        ("heap", heap()),
        ("1 thread", one_thread(timed[0][0].1.one.base)),
        ("2 threads", two_threads()),
        ("throughput", throughput()?),
    ]))
}

fn versions() -> String {
    let unknown = || "unknown".to_owned();
    let packages = PACKAGES
        .iter()
        .map(|package| format!("{package} {}", versions::of(package).unwrap_or_else(unknown)));
    let programs =
        [("valgrind", "--version"), ("wrk", "-v")].map(|(name, flag)| versions::of_program(name, flag).unwrap_or_else(unknown));
    let all: Vec<String> = [versions::RUSTC.to_owned()]
        .into_iter()
        .chain(packages)
        .chain(programs)
        .collect();
    all.join(", ")
}

fn request() -> String {
    "GET /users/42 answered with 200, to the end of the body. By an axum Router of 20 routes after `with_state(())`, called \
     in-process as `axum::serve` calls it (a clone for each request); outside the router by a service that answers at once, called \
     as hyper-util calls it, with three routes in turn, told by `route_with`. It has the header fields of curl, `with a token` also a \
     JSON web token of 780 bytes. To make the request is part of all of it, so what is added counts. All requests of a route are of \
     one kind, which a route finds with the first comparison; of its first four kinds each takes one more."
        .to_owned()
}

fn entries() -> String {
    let rivals = "What is written by hand labels by route, method and status, and counts to the head. Every rival has its own \
                  default labels and figures, several with sizes of bodies. OpenTelemetry records through its SDK with a reader \
                  that nobody reads; spans are off. The recorder of `metrics` queues what histograms get for an upkeep that is not \
                  run here.";
    format!(
        "`{OURS}` records route, method, status, auth type and outcome at the end of the body. `{UNLABELLED}` reads the clock \
         twice, as `Instant`, and counts in shared atomics, without labels, to the head. {}",
        if cfg!(feature = "rivals") { rivals } else { "" },
    )
}

fn instructions(spread: f64) -> String {
    format!(
        "callgrind, ({twice} requests - {requests} requests) / {requests}, the least of {runs} runs each. Valgrind reads the clock by a \
         system call, whose inside does not count. Measured once more, `{BARE}` and `{OURS}` differ by at most {spread:.1}.",
        runs = callgrind::RUNS,
        requests = counts::REQUESTS,
        twice = 2 * counts::REQUESTS,
    )
}

fn heap() -> String {
    format!(
        "allocations and bytes of {requests} requests after as many others, by a counting global allocator, in a program of its own",
        requests = counts::REQUESTS
    )
}

fn one_thread(bare: f64) -> String {
    format!(
        "{PAIRS} pairs of batches of {BATCH} requests, one of the first entry of the block and one of the entry, by turns; the median \
         of the differences. `{BARE}` takes {bare:.0} ns. Against itself, the first entry shows the noise. The multiple is of what \
         `{UNLABELLED}` adds.",
    )
}

fn two_threads() -> String {
    format!(
        "the same on two threads at once, each with a Router of its own, around which is one layer, so that they hit the same series. \
         They start a batch together, and go on serving until both are through. As on one thread, a pair counts if the system took no \
         thread off its core; where few of the {PAIRS} do, the machine was busy with something else and the figure is worth little. What \
         a shared cache line costs depends on where the two cores are, which can change from run to run on a virtual machine: compare \
         lines of one run.",
    )
}

fn throughput() -> Result<String> {
    Ok(format!(
        "wrk {load}, {rounds} rounds, against `axum::serve` on a tokio runtime of several threads, in a process of its own. `{BARE}` \
         is asked again before every {after} entries; the line `{BARE}` is a second server of the same. wrk and the server share the \
         {cores} cores of this machine, so this is limited by noise: a difference within the spread of `{BARE}` is none.",
        load = throughput::LOAD.join(" "),
        rounds = throughput::ROUNDS,
        after = throughput::AFTER_BASE,
        cores = thread::available_parallelism()?,
    ))
}

/// The greatest difference between two measurements of the same instructions.
fn spread(counted: &[Found<Counts>]) -> Result<f64> {
    let mut spread: f64 = 0.0;
    for name in [BARE, OURS] {
        let found = counted.iter().flatten().find(|(entry, _)| entry.name == name);
        let (entry, found) = found.ok_or("an entry was not measured")?;
        spread = spread.max((found.instructions - counts::instructions(entry)?).abs());
    }
    Ok(spread)
}
