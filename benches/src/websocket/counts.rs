//! What repeats: instructions and heap.

use super::{
    echo::FUNCTION,
    entries::{self, Entry, RAW},
    idle, loopback,
    wire::WINDOW,
};
use crate::{
    Result, callgrind,
    heap::{self, Heap},
};

/// Windows that one run echoes; callgrind also runs twice as many.
pub(super) const WINDOWS: u32 = 64;

/// What one echo takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    pub(super) bytes: f64,
}

/// Measures an echo.
pub(super) fn of(entry: &Entry) -> Result<Counts> {
    let Heap { allocations, bytes, .. } = heap::ask("websocket", &["echo", entry.name])?;
    let instructions = callgrind::per_iteration(FUNCTION, &["websocket", "repeat", entry.name], WINDOWS)?;
    Ok(Counts {
        instructions: instructions / f64::from(WINDOW),
        allocations,
        bytes,
    })
}

/// What the socket alone takes for an echo, and what each of some entries adds to that.
pub(crate) fn added(names: &[&str]) -> Result<(Counts, Vec<Counts>)> {
    let raw = of(entries::find(RAW)?)?;
    let added = names.iter().map(|name| Ok(of(entries::find(name)?)?.beyond(raw)));
    Ok((raw, added.collect::<Result<_>>()?))
}

impl Counts {
    pub(super) fn beyond(self, base: Self) -> Self {
        Self {
            instructions: self.instructions - base.instructions,
            allocations: self.allocations - base.allocations,
            bytes: self.bytes - base.bytes,
        }
    }
}

/// Does what the measurements start this program for.
pub(crate) fn child(arguments: &[&str]) -> Result<()> {
    match arguments {
        // Under callgrind: echoes and does nothing else.
        ["repeat", entry, windows] => {
            entries::find(entry)?.work()(windows.parse()?);
            Ok(())
        }
        // Until its standard input is closed: echoes over loopback.
        ["serve", server] => loopback::serve(server),
        _ => Err(format!("nothing to do for {arguments:?}").into()),
    }
}

/// Asks the heap what one echo takes, or what one idle connection holds.
pub(crate) fn on_heap(meter: &dyn heap::Meter, arguments: &[&str]) -> Result<Heap> {
    match arguments {
        ["echo", entry] => {
            let mut echo = entries::find(entry)?.work();
            // A difference here, too: whatever happens once cancels out.
            let once = meter.measure(&mut || echo(WINDOWS));
            let twice = meter.measure(&mut || echo(2 * WINDOWS));
            let difference = Heap {
                allocations: twice.allocations - once.allocations,
                bytes: twice.bytes - once.bytes,
                ..twice
            };
            Ok(difference.per(f64::from(WINDOWS * WINDOW)))
        }
        ["idle", server] => idle::on_heap(meter, server),
        _ => Err(format!("nothing to measure for {arguments:?}").into()),
    }
}
