//! How long a scrape takes, in a process of its own so that nothing else lies in its heap.

use std::{env, hint::black_box, process::Command, time::Duration};

use tower_vitals::Clock;

use super::{Kind, Library, Work, check::check, library::Scraped};
use crate::Result;

/// What scrapes of one library took.
#[derive(Clone, Debug)]
pub(super) struct Times {
    /// The size of what was written.
    pub(super) bytes: usize,
    /// In rising order.
    took: Vec<Duration>,
}

/// Starts this program to build all of `libraries` and to let them scrape in turns, `rounds` times.
pub(super) fn ask(libraries: &[Library], work: Work, rounds: usize) -> Result<Vec<Times>> {
    let mut program = Command::new(env::current_exe()?);
    program
        .args(["scrape", work.kind.as_str()])
        .args([work.lines, rounds].map(|number| number.to_string()))
        .args(libraries.iter().map(|library| library.name));
    let output = program.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    String::from_utf8(output.stdout)?.lines().map(Times::parse).collect()
}

/// Does what [`ask`] asks for.
pub(super) fn answer(arguments: &[&str]) -> Result<()> {
    let [kind, lines, rounds, names @ ..] = arguments else {
        return Err("expected a kind, a number of lines, a number of rounds, and libraries".into());
    };
    let work = Work {
        kind: kind.parse::<Kind>()?,
        lines: lines.parse()?,
    };
    let libraries = names
        .iter()
        .map(|name| Library::find(name))
        .collect::<Result<Vec<&Library>>>()?;
    for times in measure(&libraries, work, rounds.parse()?)? {
        println!("{}", times.print());
    }
    Ok(())
}

fn measure(libraries: &[&Library], work: Work, rounds: usize) -> Result<Vec<Times>> {
    let built: Vec<_> = libraries.iter().map(|library| (library.build)(work)).collect();
    for (library, scraped) in libraries.iter().zip(&built) {
        check(library, work, &**scraped)?;
    }
    let clock = Clock::std();
    let mut found = vec![Times::none(); libraries.len()];
    for _ in 0..rounds {
        for (scraped, times) in built.iter().zip(&mut found) {
            times.add(&clock, &**scraped);
        }
    }
    for times in &mut found {
        times.took.sort_unstable();
    }
    Ok(found)
}

impl Times {
    fn none() -> Self {
        Self {
            bytes: 0,
            took: Vec::new(),
        }
    }

    fn add(&mut self, clock: &Clock, scraped: &dyn Scraped) {
        self.bytes = 0;
        let before = clock.now();
        scraped.encode(&mut |piece| self.bytes += black_box(piece).len());
        self.took.push(clock.now().saturating_duration_since(before));
    }

    pub(super) fn best(&self) -> Duration {
        self.took.first().copied().unwrap_or(Duration::MAX)
    }

    pub(super) fn median(&self) -> Duration {
        self.took.get(self.took.len() / 2).copied().unwrap_or(Duration::MAX)
    }

    fn print(&self) -> String {
        let took: Vec<_> = self.took.iter().map(|took| took.as_nanos().to_string()).collect();
        format!("{} {}", self.bytes, took.join(" "))
    }

    fn parse(line: &str) -> Result<Self> {
        let mut numbers = line.split(' ').map(str::parse::<u64>);
        let bytes = numbers.next().ok_or("no size")??;
        let took = numbers
            .map(|nanos| nanos.map(Duration::from_nanos))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(Self {
            bytes: usize::try_from(bytes)?,
            took,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_as_they_were() {
        let times = Times::parse("7 1 3 9").unwrap();
        assert_eq!(times.print(), "7 1 3 9");
        assert_eq!((times.best().as_nanos(), times.median().as_nanos()), (1, 3));
        assert!(Times::parse("x").is_err());
    }
}
