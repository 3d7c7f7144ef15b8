//! Models: what the lock-free parts promise, run by loom through every order in which threads and memory may act.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p tower-vitals-core --lib --target-dir target/loom models
//! ```
//!
//! A model is small: two or three threads, each with a few calls. It is run in every order in which threads are stopped in favour of
//! another at most [`STOPS`] times in all (`LOOM_MAX_PREEMPTIONS` says another number), and with every value that a load may give, old
//! ones included. `crate::sync` has the stand-ins for what loom does not know, and says what they assume.
//!
//! Loom takes `SeqCst` for less than it is, which nothing here relies on.

mod expiry;
mod instruments;
mod table;

use loom::{model::Builder, thread::JoinHandle};

/// Every mistake that was tried on these models showed within three, most within two.
const STOPS: usize = 3;

/// Runs a model in all its orders.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(STOPS));
    builder.check(model);
}

/// A thread that is given something that all share.
fn spawn<S: Send + Sync + 'static, R: 'static>(
    shared: &std::sync::Arc<S>,
    run: impl FnOnce(&S) -> R + Send + 'static,
) -> JoinHandle<R> {
    let shared = std::sync::Arc::clone(shared);
    loom::thread::spawn(move || run(&shared))
}
