//! How all of it was measured.

use super::{
    counts::CALLS,
    entries::{OURS, PACKAGES},
    report::BATCH,
};
use crate::{callgrind, method, pairs::PAIRS, versions};

pub(super) fn method() -> String {
    let features = if cfg!(feature = "rivals") {
        " --features rivals"
    } else if cfg!(feature = "rival-breakers") {
        " --features rival-breakers"
    } else {
        ""
    };
    method::block(&[
        ("command", format!("cargo run --release -p benches{features} -- breaker")),
        ("versions", versions()),
        ("call", call()),
        ("entries", entries()),
        ("instructions", instructions()),
        ("heap", heap()),
        ("1 thread", one_thread()),
        ("2 threads", two_threads()),
    ])
}

fn versions() -> String {
    let unknown = || "unknown".to_owned();
    let packages = PACKAGES
        .iter()
        .map(|package| format!("{package} {}", versions::of(package).unwrap_or_else(unknown)));
    let valgrind = versions::of_program("valgrind", "--version").unwrap_or_else(unknown);
    let all: Vec<String> = [versions::RUSTC.to_owned()]
        .into_iter()
        .chain(packages)
        .chain([valgrind])
        .collect();
    all.join(", ")
}

fn call() -> String {
    "of a Tower service (`poll_ready`, `call`, and its future polled), of a future, or of a function, each with the answer \
     `Ok(())` at once: the future is `std::future::ready`. Nothing runs but the calls, no runtime either; to look at the outcome is \
     part of all of it. What is added while a breaker is open is without the inner call, which is not made."
        .to_owned()
}

fn entries() -> String {
    let ours = format!(
        "`{OURS}` counts every call for Prometheus, as it always does. Its settings are its defaults, a window of time, or 100 calls \
         for `count window`; `permit` is `try_acquire` and `record_result` around the function."
    );
    let metrics = if cfg!(feature = "rivals") {
        "tower-resilience-circuitbreaker records through the crate metrics into the recorder of metrics-exporter-prometheus, which queues \
         what histograms get for an upkeep that is not run here; `without metrics` is by a program of its own, built without that \
         feature."
    } else {
        "tower-resilience-circuitbreaker is built without its metrics."
    };
    let rivals = "failsafe and recloser have no metrics. Settings are each library's defaults, too, with 10 s to look back for \
                  `time window`: in these it looks at every call that it has had, 1,500 on average, so it is not timed.";
    let open = "All stay open for an hour.";
    if cfg!(feature = "rival-breakers") {
        format!("{ours} {metrics} {rivals} {open}")
    } else {
        format!("{ours} {open}")
    }
}

fn instructions() -> String {
    format!(
        "callgrind, ({twice} calls - {CALLS} calls) / {CALLS}, the least of {runs} runs each. Valgrind reads the clock by a system \
         call, whose inside does not count.",
        runs = callgrind::RUNS,
        twice = 2 * CALLS,
    )
}

fn heap() -> String {
    format!(
        "allocations and bytes of {CALLS} calls after as many others, by a counting global allocator, in a program of its own"
    )
}

fn one_thread() -> String {
    format!(
        "{PAIRS} pairs of batches of {BATCH} calls, one of the first entry of the block and one of the entry, by turns; the median of the \
         differences. Against itself, the first entry shows the noise. A dash is where no pair counts."
    )
}

fn two_threads() -> String {
    format!(
        "the same on two threads at once, which share the breaker, each by a clone. They start a batch together, and go on calling until \
         both are through. As on one thread, a pair counts if the system took no thread off its core; where few of the {PAIRS} do, the \
         figure is worth little. A future that waits for the other thread is polled again when it is woken, and its thread stays awake. What a shared cache line costs depends on where \
         the two cores are, which can change from run to run on a virtual machine: compare lines of one run.{}",
        if cfg!(feature = "rival-breakers") {
            " tower-resilience-circuitbreaker is not measured open: where it finds its lock taken, it sleeps for a millisecond."
        } else {
            ""
        },
    )
}
