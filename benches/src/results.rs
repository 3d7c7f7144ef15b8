//! All parts in one run, written to `RESULTS.md`.

use std::{
    fmt::Write as _,
    fs, panic,
    path::Path,
    process::{Command, Stdio},
};

use procfs::Current as _;

use crate::{
    Result,
    cargo::cargo,
    method,
    parts::PARTS,
    section::{self, Goal, Section},
    table, versions,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md");

/// What is written by hand about the figures.
const NOTES: &str = include_str!("../notes.md");

/// What the parts found. One that fails does not take the others with it.
#[derive(Default)]
struct Findings {
    sections: Vec<Section>,
    /// The names of those that failed.
    failed: Vec<&'static str>,
}

/// Runs every part with all rivals, prints what they found, and writes it down. Fails at the end if a part failed.
pub(crate) fn run() -> Result<()> {
    if !cfg!(feature = "rivals") {
        return run_with_rivals();
    }
    test_rivals()?;
    let mut findings = Findings::default();
    findings.add("gate", gate);
    for part in &PARTS {
        findings.add(part.name, part.run);
    }
    let text = page(&findings)?;
    print!("{text}");
    fs::write(FILE, text)?;
    eprintln!("written to {FILE}");
    if findings.failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", findings.failed.join(", ")).into())
    }
}

/// Has this program built with what it compares with, and runs that.
fn run_with_rivals() -> Result<()> {
    let status = cargo("run")
        .args(["--release", "--features", "rivals", "--", "all"])
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("the program with the feature rivals ended with {status}").into())
    }
}

/// Sees that the rivals record requests and that breakers open: who does nothing is fast.
fn test_rivals() -> Result<()> {
    eprintln!("testing: rivals");
    let output = cargo("test")
        .args(["--features", "rivals", "--lib", "rivals::"])
        .stderr(Stdio::inherit())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    // Where no test has such a name, Cargo ends well.
    let ran = |test: &str| said.contains(&format!("{test} ... ok"));
    if output.status.success() && ran("requests_are_recorded") && ran("calls_are_rejected") {
        Ok(())
    } else {
        Err(format!("the tests of the rivals ended with {}:\n{said}", output.status).into())
    }
}

impl Findings {
    fn add(&mut self, name: &'static str, run: fn() -> Result<Section>) {
        eprintln!("measuring: {name}");
        let found = panic::catch_unwind(run).unwrap_or_else(|_| Err("it panicked".into()));
        self.sections.push(found.unwrap_or_else(|error| {
            eprintln!("{name} failed: {error}");
            self.failed.push(name);
            Section {
                title: name,
                goals: Vec::new(),
                text: format!("This part failed:\n\n```text\n{}\n```\n", error.to_string().trim_end()),
            }
        }));
    }

    /// What the table of goals lacks.
    fn missing(&self) -> String {
        if self.failed.is_empty() {
            return String::new();
        }
        format!("\nFailed, so that their goals are not here: {}.\n", self.failed.join(", "))
    }
}

/// Has this program built without what it compares with, which turns on features of axum that cost time, and runs its gate.
fn gate() -> Result<Section> {
    let output = cargo("run")
        .args(["--quiet", "--release", "--target-dir"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/gate"))
        .args(["--", "gate"])
        .output()?;
    let lines = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        return Err(format!("{lines}{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let rows = lines.lines().map(row_of_gate).collect::<Result<Vec<_>>>()?;
    let heading = ["name", "value", "ceiling", "unit"].map(str::to_owned);
    Ok(Section {
        title: "What the gate holds",
        goals: goals_of_gate(&rows),
        text: format!(
            "Counts that repeat, by a program that is built without the libraries it is compared with: those turn on features of \
             axum, so that the route alone takes more and what a layer adds is another figure there (below). `request` is what the \
             layer adds to a route of an axum Router, when the request has the header fields of curl, none, or also a token of 780 \
             bytes; `request_with_known_user` what it adds to that when middleware says who makes the request, and the user's hash is \
             counted; `request_outside` what it adds to a service without a Router and with `route_with`, both \
             with route, method, status, auth type and outcome; `series_held` is heap, `scrape_peak` that of a scrape of 100,000 \
             counters. `breaker` is what our circuit breaker adds to a call, closed and open: around a Tower service, with a window of \
             time and with one of calls, around a future, and by a permit. `websocket_echo` is what `MeteredWebSocket` adds to a message \
             that comes and is sent back in memory, and `websocket_idle_held` the heap of an idle connection of an axum server, what \
             axum, hyper and tokio hold included.\n\n```text\n{}```\n",
            table::align(&[vec![heading], rows].concat()),
        ),
    })
}

fn row_of_gate(line: &str) -> Result<[String; 4]> {
    let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
    fields.try_into().map_err(|_| format!("the gate printed {line:?}").into())
}

fn goals_of_gate(rows: &[[String; 4]]) -> Vec<Goal> {
    let value = |name| {
        let row = rows.iter().find(|row| row[0] == name);
        row.and_then(|row| row[1].parse().ok()).unwrap_or(f64::NAN)
    };
    [
        (
            "request_with_known_user_instructions",
            "request: added by a known user's hashed ID",
            350.0,
            "instructions",
        ),
        (
            "request_with_known_user_allocations",
            "request: added by a known user's hashed ID",
            0.0,
            "allocations",
        ),
        (
            "request_without_fields_instructions",
            "request: added over the bare route, no header fields",
            1_900.0,
            "instructions",
        ),
        (
            "request_instructions",
            "request: added over the bare route, curl's three",
            1_900.0,
            "instructions",
        ),
        (
            "request_allocations",
            "request: added over the bare route",
            3.0,
            "allocations",
        ),
    ]
    .map(|(name, what, most, unit)| Goal::at_most(what, value(name), most, unit))
    .into()
}

fn page(findings: &Findings) -> Result<String> {
    let mut text = format!(
        "# What tower-vitals costs\n\n\
         All figures are from one run of `cargo run --release -p benches -- all`, which writes this file.\n\n\
         ```text\n{}```\n\n## Goals\n\n```text\n{}```\n{}",
        machine()?,
        section::goals(&findings.sections),
        findings.missing(),
    );
    for Section { title, text: found, .. } in &findings.sections {
        write!(text, "\n## {title}\n\n{}\n", found.trim_end())?;
    }
    write!(text, "\n## Notes\n\n{}\n", NOTES.trim_end())?;
    Ok(text)
}

fn machine() -> Result<String> {
    let date = Command::new("date").args(["--utc", "+%F"]).output()?.stdout;
    let cpus = procfs::CpuInfo::current()?;
    let memory = procfs::Meminfo::current()?.mem_total as f64 / (1024.0 * 1024.0 * 1024.0);
    let model = cpus.model_name(0).unwrap_or("an unknown processor");
    let is_virtual = cpus.flags(0).is_some_and(|flags| flags.contains(&"hypervisor"));
    let kernel = procfs::sys::kernel::Version::current()?;
    Ok(method::block(&[
        ("date", String::from_utf8(date)?),
        (
            "machine",
            format!(
                "{model}, {} cores, {memory:.1} GiB{}",
                cpus.num_cores(),
                if is_virtual { ", a virtual machine" } else { "" }
            ),
        ),
        (
            "system",
            format!(
                "Linux {}.{}.{}, {}",
                kernel.major,
                kernel.minor,
                kernel.patch,
                versions::RUSTC
            ),
        ),
        (
            "build",
            "the release profile as Cargo has it, without optimisation across crates; this program itself in one codegen unit"
                .into(),
        ),
        (
            "noise",
            "counts repeat, times do not: compare times of one table only. Each section says how much its times scatter".into(),
        ),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_fails_is_on_the_page_beside_the_others() {
        let mut findings = Findings::default();
        findings.add("first", || Err("no such file".into()));
        findings.add("second", || panic!("a bug"));
        findings.add("third", || {
            Ok(Section {
                title: "What third found",
                goals: vec![Goal::at_most("of the third", 1.0, 2.0, "ns")],
                text: "nothing".to_owned(),
            })
        });
        assert_eq!(findings.failed, ["first", "second"]);
        let page = page(&findings).unwrap();
        for part in [
            "goals are not here: first, second.",
            "## first\n\nThis part failed:\n\n```text\nno such file\n```\n",
            "## second\n\nThis part failed:\n\n```text\nit panicked\n```\n",
            "of the third",
            "## What third found\n\nnothing\n",
            "## Notes\n",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }
}
