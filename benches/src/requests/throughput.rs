//! Requests a second over loopback, as `wrk` counts them.

use std::{
    env,
    io::{self, BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio, exit},
    thread,
};

use tokio::{net::TcpListener, runtime};

use super::entries::{self, Entry, Subject};
use crate::{Result, app, quartiles::Quartiles};

/// Rounds, in each of which every entry is asked once.
pub(super) const ROUNDS: usize = 5;

/// How `wrk` asks: a second at a time, which is the least that it knows.
pub(super) const LOAD: [&str; 3] = ["--threads=1", "--connections=16", "--duration=1s"];

/// Entries that are asked after the base, before it is asked again.
pub(super) const AFTER_BASE: usize = 2;

/// What an entry serves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throughput {
    /// Requests a second.
    pub(super) rate: f64,
    /// As a part of what the base served right before.
    pub(super) of_base: Quartiles,
}

/// Measures a group. The first of the group is what the others are compared to; against itself, it shows the noise.
pub(super) fn measure(group: &[Entry]) -> Result<Vec<Throughput>> {
    let base = Server::start(&group[0])?;
    let servers = group.iter().map(Server::start).collect::<Result<Vec<Server>>>()?;
    let mut rates = vec![(Vec::new(), Vec::new()); servers.len()];
    for _ in 0..ROUNDS {
        for (servers, rates) in servers.chunks(AFTER_BASE).zip(rates.chunks_mut(AFTER_BASE)) {
            let of_base = base.rate()?;
            for (server, (rates, parts)) in servers.iter().zip(rates) {
                let rate = server.rate()?;
                rates.push(rate);
                parts.push(rate / of_base);
            }
        }
    }
    let sum_up = |(rates, parts)| {
        Some(Throughput {
            rate: Quartiles::of(rates)?.median,
            of_base: Quartiles::of(parts)?,
        })
    };
    rates
        .into_iter()
        .map(sum_up)
        .collect::<Option<_>>()
        .ok_or_else(|| "no rounds".into())
}

/// Serves an entry on a free port of loopback, which it prints, for as long as its standard input is open.
pub(super) fn serve(entry: &str) -> Result<()> {
    let Subject::Router(make) = entries::find(entry)?.subject else {
        return Err(format!("{entry} is no router").into());
    };
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        exit(0);
    });
    let around = make();
    runtime::Builder::new_multi_thread().enable_io().build()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        axum::serve(listener, around(app::routes())).await?;
        Ok(())
    })
}

/// This program as a server, until it is dropped.
#[derive(Debug)]
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(entry: &Entry) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["requests", "serve", entry.name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("a child without standard output")?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address)?;
        match address.trim().parse() {
            Ok(address) => Ok(Self { child, address }),
            Err(_) => {
                let status = child.wait()?;
                Err(format!("the server of {} ended with {status}", entry.name).into())
            }
        }
    }

    /// Requests a second.
    fn rate(&self) -> Result<f64> {
        let output = Command::new("wrk")
            .args(LOAD)
            .arg(format!("http://{}/users/42", self.address))
            .output()
            .map_err(|error| explain(&error))?;
        let report = String::from_utf8_lossy(&output.stdout);
        match rate(&report) {
            Some(rate) if output.status.success() => Ok(rate),
            _ => Err(format!(
                "wrk ended with {}:\n{report}{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            )
            .into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn explain(error: &io::Error) -> Box<dyn std::error::Error> {
    match error.kind() {
        io::ErrorKind::NotFound => "wrk is not on the PATH; it asks over loopback (Debian: apt-get install wrk)".into(),
        _ => format!("wrk does not start: {error}").into(),
    }
}

/// The rate that `wrk` reports, where nothing went wrong.
fn rate(report: &str) -> Option<f64> {
    if report.contains("Socket errors") || report.contains("Non-2xx") {
        return None;
    }
    report
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_only_where_nothing_went_wrong() {
        let good = "  81 requests in 1.00s, 9.1KB read\nRequests/sec:     80.96\nTransfer/sec:      9.06KB\n";
        assert_eq!(rate(good), Some(80.96));
        assert_eq!(rate(&format!("  Socket errors: connect 0, read 1\n{good}")), None);
        assert_eq!(rate(&format!("  Non-2xx or 3xx responses: 81\n{good}")), None);
        assert_eq!(rate("unable to connect"), None);
    }
}
