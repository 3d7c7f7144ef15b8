use super::{Kind, LIBRARIES, Library, Work, time, time::Times};
use crate::{
    Result,
    heap::{self, Heap, Meter},
    section::{Goal, Section},
    table, versions,
};

struct Size {
    lines: usize,
    /// How often they are scraped.
    rounds: usize,
    /// How many libraries hold theirs in one process and take turns.
    together: usize,
}

const SIZES: [Size; 3] = [
    Size {
        lines: 10_000,
        rounds: 31,
        together: LIBRARIES.len(),
    },
    Size {
        lines: 100_000,
        rounds: 11,
        together: LIBRARIES.len(),
    },
    // All of them together would take gigabytes.
    Size {
        lines: 1_000_000,
        rounds: 3,
        together: 1,
    },
];

/// What one library takes for one size.
struct Cell {
    library: &'static Library,
    work: Work,
    times: Times,
    heap: Heap,
}

/// Measures every library at every size.
pub(crate) fn run() -> Result<Section> {
    let (counters, histograms) = (cells(Kind::Counters)?, cells(Kind::Histograms)?);
    Ok(Section {
        title: "What a scrape costs",
        goals: goals(&counters, &histograms),
        text: format!(
            "```text\n{}```\n\n```text\n{}```\n\n```text\n{}```\n",
            print(&counters),
            print(&histograms),
            method([&counters, &histograms])
        ),
    })
}

/// What our scrapes have to keep to. Times are held against the faster text of prometheus-client, where that is measured.
fn goals(counters: &[Cell], histograms: &[Cell]) -> Vec<Goal> {
    let mut goals = Vec::new();
    for (cells, [time, heap], most) in [
        (
            counters,
            [
                "scrape: 100k counters, of prometheus-client's time",
                "scrape: peak heap at 1M counters",
            ],
            0.25,
        ),
        (
            histograms,
            [
                "scrape: 100k lines of histograms, of prometheus-client's time",
                "scrape: peak heap at 1M lines of histograms",
            ],
            0.1,
        ),
    ] {
        let (ours, peer) = (ours(cells, 100_000), peer(cells, 100_000));
        if let (Some(ours), Some(peer)) = (ours, peer) {
            let ratio = ours.times.best().as_secs_f64() / peer.times.best().as_secs_f64();
            goals.push(Goal::at_most(time, ratio, most, "times"));
        }
        if let Some(largest) = self::ours(cells, 1_000_000) {
            goals.push(Goal::at_most(heap, largest.heap.peak / MIB, 1.0, "MiB"));
        }
    }
    goals
}

/// The encoder that ours is held against.
#[cfg(feature = "rivals")]
fn peer(cells: &[Cell], lines: usize) -> Option<&Cell> {
    use super::prometheus_client::{DROPPED, TEXT};
    let is_text = |cell: &&Cell| [TEXT.name, DROPPED.name].contains(&cell.library.name);
    cells
        .iter()
        .filter(|cell| cell.work.lines == lines)
        .filter(is_text)
        .min_by_key(|cell| cell.times.best())
}

/// Without the others there is none.
#[cfg(not(feature = "rivals"))]
fn peer(_: &[Cell], _: usize) -> Option<&Cell> {
    None
}

/// Builds libraries and measures the time of their scrapes.
pub(crate) fn child(arguments: &[&str]) -> Result<()> {
    time::answer(arguments)
}

/// What one scrape asks of the heap.
pub(crate) fn on_heap(meter: &dyn Meter, arguments: &[&str]) -> Result<Heap> {
    let [library, kind, lines] = arguments else {
        return Err("expected a library, a kind and a number of lines".into());
    };
    let work = Work {
        kind: kind.parse()?,
        lines: lines.parse()?,
    };
    let scraped = (Library::find(library)?.build)(work);
    let mut bytes = 0;
    let heap = meter.measure(&mut || scraped.encode(&mut |piece| bytes += piece.len()));
    if bytes == 0 {
        return Err(format!("{library} wrote nothing").into());
    }
    Ok(heap)
}

fn cells(kind: Kind) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for size in &SIZES {
        let work = Work { kind, lines: size.lines };
        for libraries in LIBRARIES.chunks(size.together) {
            let times = time::ask(libraries, work, size.rounds)?;
            for (library, times) in libraries.iter().zip(times) {
                let heap = heap_of(library, work)?;
                cells.push(Cell {
                    library,
                    work,
                    times,
                    heap,
                });
            }
        }
    }
    Ok(cells)
}

/// What one scrape asks of the heap, beyond what the series hold.
pub(crate) fn heap_of(library: &Library, work: Work) -> Result<Heap> {
    let arguments = [library.name, work.kind.as_str(), &work.lines.to_string()];
    heap::ask("scrape", &arguments)
}

fn print(cells: &[Cell]) -> String {
    let kind = cells.first().map_or("", |cell| cell.work.kind.as_str());
    let heading = [
        &format!("lines of {kind}"),
        "best ms",
        "median ms",
        "of ours",
        "MiB written",
        "peak heap KiB",
        "allocations",
    ]
    .map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading)
        .chain(cells.iter().map(|cell| cell.row(ours(cells, cell.work.lines))))
        .collect();
    table::align(&rows)
}

/// What the others of this size are compared with.
fn ours(cells: &[Cell], lines: usize) -> Option<&Cell> {
    cells.iter().find(|cell| cell.work.lines == lines)
}

impl Cell {
    /// How far the median is above the best, in percent.
    fn spread(&self) -> f64 {
        (self.times.median().as_secs_f64() / self.times.best().as_secs_f64() - 1.0) * 100.0
    }

    fn row(&self, ours: Option<&Self>) -> [String; 7] {
        let best = self.times.best().as_secs_f64();
        [
            format!("{:>4}  {}", self.work.to_string(), self.library.name),
            format!("{:.3}", best * 1e3),
            format!("{:.3}", self.times.median().as_secs_f64() * 1e3),
            ours.map_or_else(String::new, |ours| format!("{:.2}x", best / ours.times.best().as_secs_f64())),
            format!("{:.1}", self.times.bytes as f64 / MIB),
            format!("{:.0}", self.heap.peak / KIB),
            self.heap.allocations.to_string(),
        ]
    }
}

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;

fn method(tables: [&[Cell]; 2]) -> String {
    let version = |package: &str| format!("{package} {}", versions::of(package).unwrap_or_else(|| "unknown".into()));
    let packages: Vec<String> = Library::packages().map(|library| version(library.package)).collect();
    let rounds: Vec<String> = SIZES.iter().map(|size| size.rounds.to_string()).collect();
    let spread = tables.iter().copied().flatten().map(Cell::spread).fold(0.0, f64::max);
    format!(
        "command:   cargo run --release -p benches [--features rivals] -- scrape
versions:  {rustc}, {packages}
series:    a size is a number of lines, each of which is a series for Prometheus: a counter with 3 labels has one, a histogram
           with as many labels and 11 finite buckets has 14, so 100k lines are {histograms} histograms. All were made in one go and
           lie in memory in that order
time:      of one scrape into memory, on one thread, as a route makes it: a new buffer each, or chunks that are dropped.
           {rounds} scrapes, by size. Up to 100k all libraries take turns in one process, so that each finds the caches full of
           others' series, as a scrape every 15 seconds does; at 1M one after the other, in a process each. `of ours` divides
           best times, because what else a machine does only ever adds
dropped:   prometheus-client makes one string of its text. As it can write to anything, a second row hands it out in pieces of 64 KiB,
           from one buffer that is cleared for the next (our chunks are allocated one by one)
check:     before times are taken, what each library wrote is read back, and must hold every sample
heap:      one scrape, the first, in a program of its own whose global allocator counts; the peak is what is held at once beyond what
           the series hold. It and the allocations repeat exactly
noise:     in this run a median is up to {spread:.0} % above its best time; where it is far above, somebody else had the processor,
           and neither is worth much
goals:     100k counters in at most 1/4, 100k lines of histograms in at most 1/10 of the time of prometheus-client's text, whose
           faster row counts; a peak of at most 1 MiB at 1M",
        histograms = Work { kind: Kind::Histograms, lines: 100_000 }.label_sets(),
        rounds = rounds.join(", "),
        rustc = versions::RUSTC,
        packages = packages.join(", "),
    ) + "\n"
}
