//! What the system says about a thread's waiting.
//!
//! On a machine with fewer cores than threads, any of them is put aside for milliseconds now and then, and the longest time tells of
//! that alone. Linux keeps account of it, so it can be taken off.

use std::{
    fs::{self, File},
    io::{Read, Seek},
    time::Duration,
};

/// The account of the thread that opened it: how long it was ready to run and had no core. Nothing on systems that keep none.
pub(super) struct Waits {
    account: Option<File>,
    known: Duration,
}

impl Waits {
    pub(super) fn open() -> Self {
        let mut waits = Self {
            account: File::open("/proc/thread-self/schedstat").ok(),
            known: Duration::ZERO,
        };
        if waits.read().is_none() {
            waits.account = None;
        }
        waits
    }

    /// Whether the system keeps account.
    pub(super) fn are_known(&self) -> bool {
        self.account.is_some()
    }

    /// How long this thread waited for a core since it asked last.
    pub(super) fn since_last(&mut self) -> Duration {
        let known = self.known;
        self.known = self.read().unwrap_or_default();
        self.known.saturating_sub(known)
    }

    /// The second of the file's three numbers: nanoseconds between ready and running.
    fn read(&mut self) -> Option<Duration> {
        let file = self.account.as_mut()?;
        let mut text = [0; 64];
        file.rewind().ok()?;
        let length = file.read(&mut text).ok()?;
        let nanos = std::str::from_utf8(&text[..length]).ok()?.split_whitespace().nth(1)?;
        nanos.parse().ok().map(Duration::from_nanos)
    }
}

/// How often the calling thread went to sleep so far, as one does who waits for a lock; losing the core does not count.
pub(super) fn sleeps() -> Option<u64> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn who_sleeps_is_seen_and_does_not_wait_for_a_core() {
        let mut waits = Waits::open();
        let (Some(before), true) = (sleeps(), waits.are_known()) else {
            return;
        };
        waits.since_last();
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(100));
        }
        assert!(sleeps().unwrap() >= before + 3);
        assert!(waits.since_last() < Duration::from_millis(300));
    }
}
