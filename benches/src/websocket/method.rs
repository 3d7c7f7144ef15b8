//! How all of it was measured.

use super::{
    counts::WINDOWS,
    loopback::{self, ROUNDS, TIME},
    wire::{PAYLOAD, WINDOW},
};
use crate::{callgrind, method, versions};

pub(super) fn method() -> String {
    method::block(&[
        ("command", "cargo run --release -p benches -- websocket".to_owned()),
        ("versions", versions()),
        ("echo", echo()),
        ("entries", entries()),
        ("instructions", instructions()),
        ("idle", idle()),
        ("loopback", loopback()),
        ("servers", servers()),
    ])
}

fn versions() -> String {
    let unknown = || "unknown".to_owned();
    let packages = ["axum", "tokio-tungstenite", "tungstenite", "tokio"]
        .map(|package| format!("{package} {}", versions::of(package).unwrap_or_else(unknown)));
    let valgrind = versions::of_program("valgrind", "--version").unwrap_or_else(unknown);
    let all: Vec<String> = [versions::RUSTC.to_owned()]
        .into_iter()
        .chain(packages)
        .chain([valgrind])
        .collect();
    all.join(", ")
}

fn echo() -> String {
    format!(
        "{WINDOW} binary messages of {PAYLOAD} bytes come at once, masked, after a wait; each is sent back by `feed`, and one flush \
         follows. A thirty-second part of that is an echo. The connection is in memory, without a kernel or a runtime's turns. It reads into \
         128 KiB unless something else is said; the library clears all of that each time, which is most of what an echo takes."
    )
}

fn entries() -> String {
    "`tower-vitals` is `MeteredWebSocket` around that socket, by the traits `Stream` and `Sink` as the first line is; `its methods` by \
     `recv` and `feed`, as are the others. `limits` are those that `MeteredUpgrade` sets, and with `heartbeat` come an idle timeout and a \
     longest life. With `outbox` each message goes through an `OutboxSender`, and the window leaves while the next one is waited for: \
     that takes more instructions, and is for what it saves the kernel (below)."
        .to_owned()
}

fn instructions() -> String {
    format!(
        "callgrind, ({twice} windows - {WINDOWS} windows) / {echoes}, after some others, the least of {runs} runs each. The library \
         does not clear its buffer in the same way each time, so that the first line moves by a tenth with the number of windows. Allocations and bytes of as many \
         echoes by a counting global allocator, in a program of its own.",
        runs = callgrind::RUNS,
        twice = 2 * WINDOWS,
        echoes = WINDOWS * WINDOW,
    )
}

fn idle() -> String {
    "500 connections to an axum server over loopback, after 100 others: all that was allocated for them, what hyper and tokio hold \
     included, and what the allocator and the kernel add left out. Their handlers wait for a message."
        .to_owned()
}

fn loopback() -> String {
    format!(
        "{ROUNDS} rounds, after one that does not count, in each of which every server is asked for {} ms, by turns, over connections \
         that stay open. Each server is a process of its own with one thread, and its clients share a thread of this program. Messages \
         are binary, of {} bytes. TCP sends without delay on both sides. What of the processor a message takes is what the server had of \
         it by the kernel's account, in user and kernel mode. Both figures scatter with whatever else the machine does, messages a \
         second most: compare parts.",
        TIME.as_millis(),
        loopback::PAYLOAD,
    )
}

fn servers() -> String {
    "those of axum and `tower-vitals` send each message back by `send`, which flushes it. `a channel and a task` is a bounded channel of \
     tokio and a task that feeds what is in it to the socket, and flushes when it is empty. `outbox` sends through an `OutboxSender` and \
     receives from an `OutboxSocket`, in one task; with `a driver` another task sends."
        .to_owned()
}
