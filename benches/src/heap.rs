//! What work asks of the heap. The program `heap` answers, because an allocator that counts slows down whatever is timed beside it.

use crate::{Result, breaker, cargo::cargo, memory, requests, scrape, websocket};

/// What some work asked of the heap.
#[derive(Clone, Copy, Debug)]
pub struct Heap {
    /// How often it allocated; a reallocation counts as well.
    pub allocations: f64,
    /// The bytes of all allocations.
    pub bytes: f64,
    /// The most bytes that it held at once.
    pub peak: f64,
    /// The bytes that it still held at its end.
    pub held: f64,
}

/// Measures work. The process has to have no other thread that allocates.
pub trait Meter {
    /// Does the work and says what it asked of the heap.
    fn measure(&self, work: &mut dyn FnMut()) -> Heap;
}

impl Heap {
    pub(crate) fn per(self, count: f64) -> Self {
        Self {
            allocations: self.allocations / count,
            bytes: self.bytes / count,
            peak: self.peak / count,
            held: self.held / count,
        }
    }
}

/// Measures what a part asks for, and prints it for the part that asked.
///
/// # Errors
/// When there is no such work.
pub fn answer(meter: &dyn Meter, arguments: &[&str]) -> Result<()> {
    let heap = match arguments {
        ["breaker", rest @ ..] => breaker::on_heap(meter, rest)?,
        ["requests", rest @ ..] => requests::on_heap(meter, rest)?,
        ["scrape", rest @ ..] => scrape::on_heap(meter, rest)?,
        ["memory", rest @ ..] => memory::on_heap(meter, rest)?,
        ["websocket", rest @ ..] => websocket::on_heap(meter, rest)?,
        _ => return Err(format!("nothing to measure: {arguments:?}").into()),
    };
    println!("{} {} {} {}", heap.allocations, heap.bytes, heap.peak, heap.held);
    Ok(())
}

/// Builds and runs the program `heap` for some work of a part.
pub(crate) fn ask(part: &str, arguments: &[&str]) -> Result<Heap> {
    let mut cargo = cargo("run");
    cargo.args(["--quiet", "--release", "--bin", "heap"]);
    if cfg!(feature = "rivals") {
        cargo.args(["--features", "rivals"]);
    } else if cfg!(feature = "rival-breakers") {
        cargo.args(["--features", "rival-breakers"]);
    }
    let output = cargo.args(["--", part]).args(arguments).output()?;
    if !output.status.success() {
        return Err(format!("the program heap failed:\n{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let answer = String::from_utf8(output.stdout)?;
    let figures: Vec<f64> = answer
        .split_whitespace()
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    match figures[..] {
        [allocations, bytes, peak, held] => Ok(Heap {
            allocations,
            bytes,
            peak,
            held,
        }),
        _ => Err(format!("the program heap answered {answer:?}").into()),
    }
}
