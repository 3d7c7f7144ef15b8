//! Ten million distinct values at a label with a budget, in a process of its own.

use std::{env, fmt::Write, process::Command, thread};

use tower_vitals::{Vitals, encode::Protocol};

use crate::Result;

pub(super) const VALUES: u64 = 10_000_000;
pub(super) const THREADS: usize = 2;

/// What became of the values, and of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Bytes of resident memory just before the first value.
    pub(super) before: u64,
    /// The most while they arrived.
    pub(super) highest: u64,
    /// Series that there are afterwards.
    pub(super) series: u64,
    /// What those have counted, all together.
    pub(super) total: u64,
    /// What `vitals_label_overflow_total` says.
    pub(super) overflow: u64,
}

/// Starts this program to record all values, and checks that nothing was lost.
pub(super) fn ask() -> Result<Outcome> {
    let output = Command::new(env::current_exe()?).args(["memory", "distinct"]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let outcome = Outcome::parse(&String::from_utf8(output.stdout)?)?;
    outcome.check()?;
    Ok(outcome)
}

/// Does what [`ask`] asks for.
pub(super) fn answer() -> Result<()> {
    let vitals = Vitals::new();
    let logins = vitals.counter(FAMILY, "Logins").labels([LABEL])?;
    let before = resident()?.now;
    thread::scope(|scope| {
        for first in 0..THREADS {
            let logins = &logins;
            scope.spawn(move || {
                let mut user = String::new();
                for number in (first as u64..VALUES).step_by(THREADS) {
                    user.clear();
                    write!(user, "user-{number:08}").expect("a String takes all");
                    logins.with([&user]).inc();
                }
            });
        }
    });
    let highest = resident()?.highest;
    let body = vitals.encode_to_string(Protocol::TEXT);
    let outcome = Outcome {
        before,
        highest,
        series: logins.len() as u64,
        total: sum(&body, &format!("{FAMILY}{{"))?,
        overflow: sum(
            &body,
            &format!("vitals_label_overflow_total{{family=\"{FAMILY}\",label=\"{LABEL}\"}}"),
        )?,
    };
    println!("{}", outcome.print());
    Ok(())
}

const FAMILY: &str = "app_logins_total";
const LABEL: &str = "user";

impl Outcome {
    pub(super) fn growth(&self) -> u64 {
        self.highest.saturating_sub(self.before)
    }

    /// Whether every value was counted once: by a series of its own, or as `_other` and as an overflow.
    fn check(&self) -> Result<()> {
        let own = self.series - 1;
        if self.total == VALUES && own + self.overflow == VALUES {
            return Ok(());
        }
        Err(format!("of {VALUES} values not all were counted once: {self:?}").into())
    }

    fn print(&self) -> String {
        let numbers = [self.before, self.highest, self.series, self.total, self.overflow];
        numbers.map(|number| number.to_string()).join(" ")
    }

    fn parse(text: &str) -> Result<Self> {
        let numbers = text
            .split_whitespace()
            .map(str::parse)
            .collect::<std::result::Result<Vec<u64>, _>>()?;
        match numbers[..] {
            [before, highest, series, total, overflow] => Ok(Self {
                before,
                highest,
                series,
                total,
                overflow,
            }),
            _ => Err(format!("expected five numbers, not {text:?}").into()),
        }
    }
}

struct Resident {
    now: u64,
    /// Since the process began; the kernel keeps it, so no moment is missed.
    highest: u64,
}

fn resident() -> Result<Resident> {
    let status = procfs::process::Process::myself()?.status()?;
    let bytes = |kib: Option<u64>| kib.map(|kib| kib * 1024).ok_or("the kernel does not say");
    Ok(Resident {
        now: bytes(status.vmrss)?,
        highest: bytes(status.vmhwm)?,
    })
}

/// The sum of all samples whose line begins so.
fn sum(body: &str, beginning: &str) -> Result<u64> {
    let mut sum = 0;
    for line in body.lines().filter(|line| line.starts_with(beginning)) {
        let (_, value) = line.rsplit_once(' ').ok_or("a sample without a value")?;
        sum += value.parse::<u64>()?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lost_or_counted_twice_is_an_error() {
        let exact = Outcome {
            before: 1,
            highest: 3,
            series: 1_001,
            total: VALUES,
            overflow: VALUES - 1_000,
        };
        assert_eq!(Outcome::parse(&exact.print()).unwrap(), exact);
        assert_eq!(exact.growth(), 2);
        exact.check().unwrap();
        for off in [VALUES - 1, VALUES + 1] {
            assert!(Outcome { total: off, ..exact }.check().is_err());
        }
        assert!(
            Outcome {
                overflow: VALUES,
                ..exact
            }
            .check()
            .is_err()
        );
    }

    #[test]
    fn only_the_family_is_summed() {
        let body = "# TYPE a counter\na{b=\"c\"} 1\na{b=\"d\"} 20\nab{b=\"c\"} 300\n";
        assert_eq!(sum(body, "a{").unwrap(), 21);
    }
}
