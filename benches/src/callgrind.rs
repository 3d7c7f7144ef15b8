//! Counts instructions: this program starts itself under valgrind's callgrind, which runs it on a simulated processor.

use std::{env, fs, io, process::Command};

use crate::Result;

/// A run in six is a few instructions longer, hardly ever all of these.
pub(crate) const RUNS: u32 = 3;

/// Instructions of one iteration inside `function` (its path from the crate's name on), for a run of this program with
/// `arguments` and the number of iterations.
///
/// It is the difference of twice as many iterations and `iterations`, so that whatever happens once cancels out. Either is the least
/// of some runs: where the system happens to put the stack and the heap, `memcmp` may meet the end of a page and take its long way.
pub(crate) fn per_iteration(function: &str, arguments: &[&str], iterations: u32) -> Result<f64> {
    let once = least(function, arguments, iterations)?;
    let twice = least(function, arguments, 2 * iterations)?;
    let difference = twice
        .checked_sub(once)
        .ok_or("twice the iterations took fewer instructions")?;
    Ok(difference as f64 / f64::from(iterations))
}

/// Atomic instructions that read memory and write it in one step, of one iteration inside `function`.
pub(crate) fn atomics_per_iteration(function: &str, arguments: &[&str], iterations: u32) -> Result<f64> {
    let [_, once] = totals_of(function, arguments, iterations)?;
    let [_, twice] = totals_of(function, arguments, 2 * iterations)?;
    Ok((twice as f64 - once as f64) / f64::from(iterations))
}

fn least(function: &str, arguments: &[&str], iterations: u32) -> Result<u64> {
    let mut least = u64::MAX;
    for _ in 0..RUNS {
        let [instructions, _] = totals_of(function, arguments, iterations)?;
        least = least.min(instructions);
    }
    Ok(least)
}

/// All instructions inside `function`, and the atomic ones among them.
fn totals_of(function: &str, arguments: &[&str], iterations: u32) -> Result<[u64; 2]> {
    let profile = tempfile::NamedTempFile::new()?;
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        // The atomic ones, which callgrind calls global bus events.
        .arg("--collect-bus=yes")
        // The star stands for the hash that may end a symbol.
        .arg(format!("--toggle-collect={function}*"))
        .arg(format!("--callgrind-out-file={}", profile.path().display()))
        .arg(env::current_exe()?)
        .args(arguments)
        .arg(iterations.to_string())
        .output()
        .map_err(|error| explain(&error))?;
    if !output.status.success() {
        return Err(format!(
            "valgrind ended with {}:\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    match totals(&fs::read_to_string(profile.path())?) {
        Some([0, _]) => Err(format!("callgrind met no function {function}").into()),
        Some(totals) => Ok(totals),
        None => Err("callgrind wrote no totals".into()),
    }
}

fn explain(error: &io::Error) -> Box<dyn std::error::Error> {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "valgrind is not on the PATH; it counts the instructions (Debian: apt-get install valgrind)".into()
        }
        _ => format!("valgrind does not start: {error}").into(),
    }
}

/// Instructions and global bus events of a profile, which its line `totals:` gives in this order; what comes last and is zero is
/// left out.
fn totals(profile: &str) -> Option<[u64; 2]> {
    let line = profile.lines().find_map(|line| line.strip_prefix("totals: "))?;
    let mut totals = line.split_whitespace().map(str::parse);
    let instructions = totals.next()?.ok()?;
    Some([instructions, totals.next().unwrap_or(Ok(0)).ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_from_their_line() {
        assert_eq!(
            totals("events: Ir Ge\nfn=(1) totals\n16 300 2\n\ntotals: 7660123 42\n"),
            Some([7_660_123, 42])
        );
        assert_eq!(totals("events: Ir Ge\ntotals: 7660123\n"), Some([7_660_123, 0]));
        assert_eq!(totals("events: Ir Ge\n"), None);
    }
}
