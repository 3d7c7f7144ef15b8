//! How it was found.

use super::{
    cases::{BEFORE_GROWTH, GROWTH},
    report::Spread,
    round::{LONG, NEW_EVERY, RECORDED},
    rounds::{LENGTH, PAIRS},
    stopped::{LIMIT, RECORDINGS},
};
use crate::{method, versions};

pub(super) fn text(spreads: &[Spread; 2]) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    method::block(&[
        (
            "command",
            "cargo run --release -p benches [--features rivals] -- stall".to_owned(),
        ),
        ("versions", format!("{}{}; {cores} cores", versions::RUSTC, rivals())),
        ("work", work()),
        ("control", CONTROL.to_owned()),
        ("times", times()),
        ("on a core", on_a_core()),
        ("sleeps", SLEEPS.to_owned()),
        ("noise", noise(spreads)),
        ("stopped", stopped()),
        ("locks", LOCKS.to_owned()),
    ])
}

const CONTROL: &str = "the same recordings into a family of the same size, which nobody scrapes and which does not grow, while two threads \
    do such work with types of the standard library alone: one writes as many lines from a Vec<String> into strings of 64 KiB, one puts \
    a String into a HashMap as often. They touch no data of the library that is measured, not even what it keeps once for all families";

const SLEEPS: &str = "how often the recording thread gave up its core to wait, in all rounds (voluntary_ctxt_switches). Who waits for a \
    lock for more than a moment does that";

const LOCKS: &str = "valgrind counts atomic instructions that read and write memory in one step (callgrind's global bus events); every \
    lock that is taken is at least one. A recording into a family that has no more of them than one into its table alone takes no lock \
    beside the table, and whether the table takes one is seen when everybody else is stopped. In the table they are the count itself \
    and what arc-swap needs to borrow index and slot and to give them back, in memory of this thread's own";

fn work() -> String {
    format!(
        "one thread looks up counters by two labels, {RECORDED} of all that exist in turn, and counts one; one scrapes in a loop, text \
         0.0.4 in chunks (prometheus-client: its text into a String); one makes a new series every {NEW_EVERY:?}. {BEFORE_GROWTH} \
         series: at {GROWTH} our table makes its index anew and a segment of as many slots, within every real round. A round in which fewer \
         than half of the new series due were made, or no scrape came to its end, is done again; prometheus-client keeps its own, and \
         the table shows what it did not get done"
    )
}

fn times() -> String {
    format!(
        "of each recording, between two readings of the clock, one of which is in it; bucketed to 3 %. {PAIRS} pairs of rounds of \
         {LENGTH:?}; either is first in turn. p50 and p99.99: the median of the rounds; worst: of all of them. Excess of p99.99: the \
         median of the pairs' differences; of the worst: worst of all real rounds less worst of all controls, and (paired) the median \
         of the pairs' differences. A time counts once, however long: who is held up for 100 ms makes one recording in place of a \
         million, which shows in the worst and in the number of recordings"
    )
}

fn on_a_core() -> String {
    format!(
        "the same times less what the recording thread, ready to run, waited for a core (Linux: /proc/thread-self/schedstat, read after \
         whatever takes more than {LONG:?}). The time until a lock is free stays in, because who waits for it is not ready; what then \
         passes until there is a core is taken off, so sleeps beyond those of the controls have a goal of their own"
    )
}

fn noise([all, on_a_core]: &[Spread; 2]) -> String {
    let spread = |Spread { p9999, worst }: &Spread| format!("{:.1} us and {:.2} ms", p9999 / 1e3, worst / 1e6);
    format!(
        "three threads on few cores put one another aside for milliseconds, and so do the machine's other programs; only the times on a \
         core leave that out. A virtual machine may also be put aside by its host, of which it keeps no account: now and then a round \
         has a worst of milliseconds with or without our data. The goal for the worst of all may be missed by that alone, or reached \
         because a control was hit; the one by pairs leaves out what happens in fewer than half of the pairs: read both, and the \
         worst itself. Among the controls of a case p99.99 and worst differ by up to {}, on a core by {}; an excess below these is noise",
        spread(all),
        spread(on_a_core),
    )
}

fn stopped() -> String {
    format!(
        "who is stopped keeps every lock that is held there; then somebody wants a new series, and a third thread makes {RECORDINGS} \
         recordings into a series that exists: stuck if not done in {LIMIT:?}. Our insertion is stopped in the table of which families \
         are made, since a family calls nothing of its caller's there; a new series has to wait for it"
    )
}

fn rivals() -> String {
    if !cfg!(feature = "rivals") {
        return String::new();
    }
    let version = versions::of("prometheus-client").unwrap_or_else(|| "unknown".into());
    format!(", prometheus-client {version}")
}
