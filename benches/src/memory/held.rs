//! The heap that series hold.

use crate::{
    Result,
    heap::{self, Heap, Meter},
    scrape::{Kind, Library, Work},
};

/// Bytes of heap for each series (a counter, or a histogram as a whole) that a library has made and recorded into.
pub(crate) fn per_series(library: &Library, work: Work) -> Result<f64> {
    let arguments = [library.name, work.kind.as_str(), &work.lines.to_string()];
    Ok(heap::ask("memory", &arguments)?.held / work.label_sets() as f64)
}

/// What building the series asks of the heap.
pub(super) fn on_heap(meter: &dyn Meter, arguments: &[&str]) -> Result<Heap> {
    let [library, kind, lines] = arguments else {
        return Err("expected a library, a kind and a number of lines".into());
    };
    let library = Library::find(library)?;
    let work = Work {
        kind: kind.parse::<Kind>()?,
        lines: lines.parse()?,
    };
    let mut built = None;
    let heap = meter.measure(&mut || built = Some((library.build)(work)));
    drop(built);
    Ok(heap)
}
