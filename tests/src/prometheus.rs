//! A real Prometheus, on a free port, for the length of a test.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::client::{Client, get};
use crate::promql::PromQl;
use crate::required::Need;

mod promtool;

pub use self::promtool::promtool_check_metrics;

/// How long Prometheus may take to start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Somebody else may take the port that was free a moment ago.
const ATTEMPTS: usize = 5;

/// What Prometheus says then.
const PORT_TAKEN: &str = "address already in use";

const LOG: &str = "prometheus.log";

/// Something to scrape every second.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its label `job`; no two targets have the same.
    pub job: &'a str,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where its metrics are, such as `/metrics`.
    pub path: &'a str,
}

/// A running Prometheus; dropped, it is killed and its data removed.
///
/// If a panic drops it, the end of its log goes to stderr.
#[derive(Debug)]
pub struct Prometheus {
    addr: SocketAddr,
    child: Child,
    dir: TempDir,
}

// === impl Prometheus ===

impl Prometheus {
    /// Starts one that scrapes these targets, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// Without [`Need::Prometheus`], or with the end of its log where it does
    /// not become ready.
    pub async fn start(targets: &[Target<'_>]) -> Result<Self> {
        Self::start_with(targets, &[]).await
    }

    /// As [`Prometheus::start`], with more flags for the command, such as
    /// `--enable-feature=exemplar-storage`.
    ///
    /// # Errors
    ///
    /// As [`Prometheus::start`].
    pub async fn start_with(targets: &[Target<'_>], flags: &[&str]) -> Result<Self> {
        let config = config(targets).to_string();
        for _ in 0..ATTEMPTS {
            let mut prometheus = Self::spawn(&config, flags)?;
            let Err(error) = prometheus.ready().await else {
                return Ok(prometheus);
            };
            let log = prometheus.log_tail();
            if !log.contains(PORT_TAKEN) {
                return Err(format!("Prometheus: {error}; its log:\n{log}").into());
            }
        }
        Err(format!("found no port for Prometheus in {ATTEMPTS} attempts").into())
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Asks it.
    #[must_use]
    pub fn promql(&self) -> PromQl {
        PromQl::new(self.addr)
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.dir.path().join(LOG)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn spawn(config: &str, flags: &[&str]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("prometheus.yml"), config)?;
        let log = File::create(dir.path().join(LOG))?;
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = command(dir.path(), addr)?;
        command.args(flags).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn()?;
        Ok(Self { addr, child, dir })
    }

    async fn ready(&mut self) -> Result<()> {
        let end = Instant::now() + START_LIMIT;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("ended with {status}").into());
            }
            if is_ready(self.addr).await.unwrap_or(false) {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(format!("not ready within {START_LIMIT:?}").into())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the end of Prometheus's log:\n{}", self.log_tail());
        }
    }
}

fn command(dir: &Path, addr: SocketAddr) -> Result<Command> {
    let flag = |name: &str, file: &str| format!("--{name}={}", dir.join(file).display());
    let mut command = Need::Prometheus.require()?.command();
    command
        .arg(flag("config.file", "prometheus.yml"))
        .arg(flag("storage.tsdb.path", "data"))
        .arg(format!("--web.listen-address={addr}"))
        .current_dir(dir)
        .stdin(Stdio::null());
    Ok(command)
}

/// JSON is YAML too, and quotes by itself.
fn config(targets: &[Target<'_>]) -> Value {
    let scrape = |target: &Target<'_>| {
        json!({
            "job_name": target.job,
            "metrics_path": target.path,
            "static_configs": [{ "targets": [target.addr.to_string()] }],
        })
    };
    let scrapes: Vec<Value> = targets.iter().map(scrape).collect();
    json!({
        "global": { "scrape_interval": "1s", "scrape_timeout": "1s" },
        "scrape_configs": scrapes,
    })
}

async fn is_ready(addr: SocketAddr) -> Result<bool> {
    let mut client = Client::http1(addr).await?;
    let answer = client.send(get("/-/ready")).await?;
    Ok(answer.status() == StatusCode::OK)
}
