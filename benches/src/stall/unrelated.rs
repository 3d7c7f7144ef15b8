use std::{
    collections::HashMap,
    fmt::Write,
    mem,
    sync::{Mutex, PoisonError},
};

use super::subject::{Counters, Scraped, values};

/// As many bytes as there are in a chunk of ours.
const CHUNK: usize = 64 * 1024;

/// Work like that of a family's scrape and of its new series, done with the standard library alone: nothing in it, not even what a
/// library keeps once for the whole process, is known to the families that are measured.
pub(super) struct Unrelated {
    lines: Vec<String>,
    counts: Mutex<HashMap<String, u64>>,
}

impl Counters for Unrelated {
    type Key = String;

    fn empty() -> Self {
        Self {
            lines: Vec::new(),
            counts: Mutex::default(),
        }
    }

    fn key(number: usize) -> String {
        let [queue, outcome] = values(number);
        format!("jobs_total{{queue=\"{queue}\",outcome=\"{outcome}\"}}")
    }

    /// Only who makes new series comes here, so the lock is always free.
    fn record(&self, key: &String) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(key.clone()).or_default() += 1;
    }

    fn with_series(count: usize) -> Self {
        let lines: Vec<String> = (0..count).map(Self::key).collect();
        let counts = lines.iter().map(|line| (line.clone(), 1)).collect();
        Self {
            lines,
            counts: Mutex::new(counts),
        }
    }
}

impl Scraped for Unrelated {
    fn scrape(&self, show: &mut dyn FnMut(&[u8])) {
        let room = || String::with_capacity(CHUNK + 256);
        let mut text = room();
        for (number, line) in self.lines.iter().enumerate() {
            // A string takes everything.
            let _ = writeln!(text, "{line} {number}");
            if text.len() >= CHUNK {
                show(mem::replace(&mut text, room()).as_bytes());
            }
        }
        show(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_shown_once() {
        let mut text = Vec::new();
        let mut pieces = 0;
        Unrelated::with_series(5_000).scrape(&mut |piece| {
            text.extend_from_slice(piece);
            pieces += 1;
        });
        let text = String::from_utf8(text).unwrap();
        assert!(pieces > 1);
        assert_eq!(text.lines().count(), 5_000);
        assert!(text.ends_with("jobs_total{queue=\"queue-2499\",outcome=\"failed\"} 4999\n"));
    }
}
