//! Counts what work asks of the heap; `benches` starts it.

use std::{alloc::System, env, process::ExitCode};

use benches::heap::{Heap, Meter, answer};
use peakmem_alloc::{PeakMemAlloc, PeakMemAllocTrait as _};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

/// One allocator counts, the one around it keeps the peak.
#[global_allocator]
static ALLOCATOR: PeakMemAlloc<&StatsAlloc<System>> = PeakMemAlloc::new(&INSTRUMENTED_SYSTEM);

struct Counting;

impl Meter for Counting {
    fn measure(&self, work: &mut dyn FnMut()) -> Heap {
        ALLOCATOR.reset_peak_memory();
        let region = Region::new(&INSTRUMENTED_SYSTEM);
        work();
        let (change, peak) = (region.change(), ALLOCATOR.get_peak_memory());
        Heap {
            allocations: (change.allocations + change.reallocations) as f64,
            bytes: change.bytes_allocated as f64,
            peak: peak as f64,
            held: change.bytes_allocated as f64 - change.bytes_deallocated as f64,
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match answer(&Counting, &arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
