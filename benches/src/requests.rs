//! The part `requests`: what a layer adds to each request of an axum application.

use axum::Router;
use tower_vitals::{MetricsLayer, Vitals};

use crate::{
    Result,
    allocations::{self, Allocations},
    app, callgrind,
    no_op::NoOpLayer,
    table, versions,
};

/// Something to measure: how it is put around the routes.
struct Entry {
    name: &'static str,
    layer: fn(Router) -> Router,
}

/// The first one is what the others add to.
const ENTRIES: [Entry; 3] = [
    Entry {
        name: "bare",
        layer: |routes| routes,
    },
    Entry {
        name: "no-op layer",
        layer: |routes| routes.layer(NoOpLayer),
    },
    Entry {
        name: "tower-vitals",
        layer: |routes| routes.layer(MetricsLayer::new(&Vitals::new())),
    },
];

/// Requests that one run serves; callgrind also runs twice as many.
const REQUESTS: u32 = 1_000;

/// Figures of one request.
struct Cost {
    /// Of two measurements.
    instructions: [f64; 2],
    allocations: Allocations,
}

/// Measures every entry and prints the table.
pub(crate) fn run() -> Result<()> {
    let costs = ENTRIES.iter().map(Entry::measure).collect::<Result<Vec<Cost>>>()?;
    let heading = ["name", "instructions", "added", "allocations", "added", "bytes", "added"].map(str::to_owned);
    let rows = ENTRIES
        .iter()
        .zip(&costs)
        .map(|(entry, cost)| cost.row(entry.name, &costs[0]));
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    print!("{}", table::align(&rows));
    println!("\n{}", method(&costs));
    Ok(())
}

/// Serves `count` requests of one entry and does nothing else.
pub(crate) fn serve(entry: &str, count: &str) -> Result<()> {
    let entry = ENTRIES
        .iter()
        .find(|known| known.name == entry)
        .ok_or_else(|| format!("no entry {entry:?}"))?;
    app::repeat(&entry.router(), count.parse()?);
    Ok(())
}

fn method(costs: &[Cost]) -> String {
    let spread = costs.iter().map(Cost::spread).fold(0.0, f64::max);
    format!(
        "command:   cargo run --release -p benches -- requests
versions:  {rustc}, axum {axum}
request:   GET /users/42 answered with 200 by an axum Router of 20 routes after `with_state(())`, called in-process on one thread
           as `axum::serve` calls it, to the end of the body; `bare` includes making the request
method:    instructions: callgrind, ({twice} requests - {REQUESTS} requests) / {REQUESTS}, the least of {runs} runs each; valgrind reads the
           clock by a system call, whose inside does not count. Allocations: those of {REQUESTS} requests after as many others, by
           a counting global allocator that is there while instructions are counted too
spread:    at most {spread:.1} instructions between two measurements of an entry; the table shows the first",
        runs = callgrind::RUNS,
        rustc = versions::RUSTC,
        axum = versions::of("axum").unwrap_or_else(|| "unknown".into()),
        twice = 2 * REQUESTS,
    )
}

impl Entry {
    fn router(&self) -> Router {
        (self.layer)(app::routes()).with_state(())
    }

    fn measure(&self) -> Result<Cost> {
        let instructions = || callgrind::per_iteration("benches::app::repeat", &["requests", self.name], REQUESTS);
        let router = self.router();
        app::repeat(&router, REQUESTS);
        Ok(Cost {
            instructions: [instructions()?, instructions()?],
            allocations: allocations::per_iteration(|count| app::repeat(&router, count), REQUESTS),
        })
    }
}

impl Cost {
    fn row(&self, name: &str, base: &Cost) -> [String; 7] {
        let added = |found: f64, base: f64| format!("{:+}", found - base);
        [
            name.to_owned(),
            format!("{:.0}", self.instructions[0]),
            format!("{:+.0}", self.instructions[0] - base.instructions[0]),
            self.allocations.count.to_string(),
            added(self.allocations.count, base.allocations.count),
            self.allocations.bytes.to_string(),
            added(self.allocations.bytes, base.allocations.bytes),
        ]
    }

    fn spread(&self) -> f64 {
        (self.instructions[0] - self.instructions[1]).abs()
    }
}

#[cfg(test)]
mod tests {
    use tower_vitals::encode::Protocol;

    use super::*;

    #[test]
    fn measured_requests_are_recorded_as_completed() {
        let vitals = Vitals::new();
        app::repeat(&app::routes().layer(MetricsLayer::new(&vitals)).with_state(()), 3);
        let scrape = vitals.encode_to_string(Protocol::Text0);
        let samples: Vec<&str> = scrape
            .lines()
            .filter(|line| line.starts_with("http_requests_total{"))
            .collect();
        let labels = r#"method="GET",route="/users/{id}",status="200",auth_type="none",outcome="completed""#;
        assert_eq!(samples, [format!("http_requests_total{{{labels}}} 3")]);
    }
}
