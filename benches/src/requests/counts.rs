//! What repeats: instructions and heap.

use super::entries::{self, Entry};
use crate::{
    Result, callgrind,
    heap::{self, Heap},
};

/// Requests that one run serves; callgrind also runs twice as many.
pub(super) const REQUESTS: u32 = 1_000;

/// What one request takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) instructions: f64,
    pub(crate) heap: Heap,
}

/// Measures the entry of that name.
pub(crate) fn of(entry: &str) -> Result<Counts> {
    let entry = entries::find(entry)?;
    Ok(Counts {
        instructions: instructions(entry)?,
        heap: heap::ask("requests", &[entry.name])?,
    })
}

/// The instructions of one request.
pub(super) fn instructions(entry: &Entry) -> Result<f64> {
    callgrind::per_iteration(entry.function(), &["requests", "repeat", entry.name], REQUESTS)
}

/// Asks the heap what one request of an entry takes.
pub(crate) fn on_heap(meter: &dyn heap::Meter, arguments: &[&str]) -> Result<Heap> {
    let [entry] = arguments else {
        return Err("expected an entry".into());
    };
    let mut serve = entries::find(entry)?.serve();
    serve(REQUESTS);
    // A difference here, too: whatever happens once cancels out.
    let once = meter.measure(&mut || serve(REQUESTS));
    let twice = meter.measure(&mut || serve(2 * REQUESTS));
    let difference = Heap {
        allocations: twice.allocations - once.allocations,
        bytes: twice.bytes - once.bytes,
        ..twice
    };
    Ok(difference.per(f64::from(REQUESTS)))
}
