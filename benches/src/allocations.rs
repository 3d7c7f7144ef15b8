//! Counts heap allocations, in this process.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What one iteration asks of the heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocations {
    /// How often; a reallocation counts as well.
    pub(crate) count: f64,
    pub(crate) bytes: f64,
}

/// What one iteration of `work` asks of the heap, which takes their number. The process has to have no other thread.
pub(crate) fn per_iteration(work: impl FnOnce(u32), iterations: u32) -> Allocations {
    let region = Region::new(ALLOCATOR);
    work(iterations);
    let change = region.change();
    Allocations {
        count: (change.allocations + change.reallocations) as f64 / f64::from(iterations),
        bytes: change.bytes_allocated as f64 / f64::from(iterations),
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn boxes_count() {
        // Other tests allocate at the same time, so these are lower bounds.
        let found = per_iteration(|count| (0..count).for_each(|_| drop(black_box(Box::new([0_u8; 100])))), 1_000);
        assert!(found.count >= 1.0 && found.bytes >= 100.0, "{found:?}");
    }
}
