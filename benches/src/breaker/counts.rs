//! What repeats: instructions and heap.

use std::path::Path;

use super::{
    call::{FUNCTION, State},
    entries::{self, Case},
};
use crate::{
    Result, callgrind,
    cargo::cargo,
    heap::{self, Heap},
    pairs::Entry as _,
};

/// Calls that one run makes; callgrind also runs twice as many.
pub(super) const CALLS: u32 = 1_000;

/// What one call takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    pub(super) bytes: f64,
}

/// Measures a call.
pub(super) fn of(case: Case) -> Result<Counts> {
    let arguments = [case.entry.name, case.state.name()];
    let [name, state] = arguments;
    let Heap { allocations, bytes, .. } = heap::ask("breaker", &arguments)?;
    Ok(Counts {
        instructions: callgrind::per_iteration(FUNCTION, &["breaker", "repeat", name, state], CALLS)?,
        allocations,
        bytes,
    })
}

/// What an entry adds to each call of another, by the state of its breaker.
pub(crate) fn added(base: &str, entry: &str) -> Result<[(&'static str, Counts); 2]> {
    let base = of(entries::find(base, State::Closed.name())?)?;
    let in_state = |state: State| Ok((state.name(), of(entries::find(entry, state.name())?)?.beyond(base)));
    let [closed, open] = State::ALL.map(|state| -> Result<_> { in_state(state) });
    Ok([closed?, open?])
}

impl Counts {
    pub(super) fn beyond(self, base: Self) -> Self {
        Self {
            instructions: self.instructions - base.instructions,
            allocations: self.allocations - base.allocations,
            bytes: self.bytes - base.bytes,
        }
    }
}

/// The same by a program that is built with no rivals but the breakers, and them without metrics.
pub(super) fn of_without_metrics(case: Case) -> Result<Counts> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/breakers");
    let output = cargo("run")
        .args(["--quiet", "--release", "--features", "rival-breakers"])
        .args(["--", "breaker", "counts", case.entry.name, case.state.name()])
        // For what that program has built, too.
        .env("CARGO_TARGET_DIR", target)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let answer = String::from_utf8(output.stdout)?;
    let figures: Vec<f64> = answer
        .split_whitespace()
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    match figures[..] {
        [instructions, allocations, bytes] => Ok(Counts {
            instructions,
            allocations,
            bytes,
        }),
        _ => Err(format!("the program without metrics answered {answer:?}").into()),
    }
}

/// Does what the measurements start this program for.
pub(crate) fn child(arguments: &[&str]) -> Result<()> {
    match arguments {
        // Under callgrind: calls and does nothing else.
        ["repeat", entry, state, count] => {
            entries::find(entry, state)?.work_on(1)[0](count.parse()?);
            Ok(())
        }
        ["counts", entry, state] => {
            let counts = of(entries::find(entry, state)?)?;
            println!("{} {} {}", counts.instructions, counts.allocations, counts.bytes);
            Ok(())
        }
        _ => Err(format!("nothing to do for {arguments:?}").into()),
    }
}

/// Asks the heap what one call takes.
pub(crate) fn on_heap(meter: &dyn heap::Meter, arguments: &[&str]) -> Result<Heap> {
    let [entry, state] = arguments else {
        return Err("expected an entry and a state".into());
    };
    let mut works = entries::find(entry, state)?.work_on(1);
    let call = &mut works[0];
    call(CALLS);
    // A difference here, too: whatever happens once cancels out.
    let once = meter.measure(&mut || call(CALLS));
    let twice = meter.measure(&mut || call(2 * CALLS));
    let difference = Heap {
        allocations: twice.allocations - once.allocations,
        bytes: twice.bytes - once.bytes,
        ..twice
    };
    Ok(difference.per(f64::from(CALLS)))
}
