//! Clients that other people made, each in a process of its own.

use std::{
    fs::{self, File},
    net::SocketAddr,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    Result,
    required::{Need, Program},
    until::until,
};
use tokio::time::timeout;

use crate::{plan::Conversation, server::Server};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    Python,
    Node,
    Chromium,
}

/// How long all conversations of one client may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Where its files are.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ws_clients");

/// A program that runs, with all that it started; dropped, they are killed.
pub(crate) struct Running {
    child: Child,
    dir: TempDir,
}

// === impl Client ===

impl Client {
    pub(crate) fn need(self) -> Need {
        match self {
            Self::Python => Need::PythonWebsockets,
            Self::Node => Need::NodeWs,
            Self::Chromium => Need::Chromium,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Chromium => "chromium",
        }
    }

    /// Has these conversations with whoever is at `addr`, and gives what it saw of each. A browser gets its page from `server`.
    pub(crate) async fn converse(self, addr: SocketAddr, server: &mut Server, plan: &[Conversation]) -> Result<Value> {
        let url = format!("ws://{addr}/ws");
        let plan: Vec<_> = plan.iter().map(Conversation::json).collect();
        let program = self.need().require()?;
        match self {
            Self::Python => run(&program, &["client.py"], &url, &json!(plan)).await,
            Self::Node => run(&program, &["client.js", "converse.js"], &url, &json!(plan)).await,
            Self::Chromium => {
                server.plan(json!({ "url": url, "conversations": plan }));
                let browser = browse(&format!("http://{}/", server.addr))?;
                let report = timeout(LIMIT, server.report()).await;
                report.map_err(|_| format!("no report; {}", browser.errors()))?
            }
        }
    }
}

/// Runs one of our scripts to its end, and gives what it printed.
async fn run(program: &Program, files: &[&str], url: &str, plan: &Value) -> Result<Value> {
    let mut command = program.command();
    command.args(files.iter().map(|file| format!("{HERE}/{file}"))).arg(url);
    let mut running = Running::start(command, |dir, command| {
        fs::write(dir.path().join("plan"), plan.to_string())?;
        command.arg(dir.path().join("plan"));
        Ok(())
    })?;
    let ended = until(LIMIT, || running.child.try_wait(), |ended| !matches!(ended, Ok(None))).await;
    match ended {
        Ok(Ok(Some(status))) if status.success() => Ok(serde_json::from_str(&running.printed("out"))?),
        ended => Err(format!("{ended:?}; {}{}", running.printed("out"), running.errors()).into()),
    }
}

/// Opens a page in a browser of its own.
pub(crate) fn browse(url: &str) -> Result<Running> {
    let mut command = Need::Chromium.require()?.command();
    // By root in a container there are no sandboxes, and little shared memory.
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    command.args(["--no-first-run", "--no-proxy-server", "--disable-background-networking"]);
    Running::start(command, |dir, command| {
        let mut data = std::ffi::OsString::from("--user-data-dir=");
        data.push(dir.path().join("profile"));
        command.arg(data).arg(url);
        Ok(())
    })
}

// === impl Running ===

impl Running {
    fn start(mut command: Command, prepare: impl FnOnce(&TempDir, &mut Command) -> Result<()>) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        prepare(&dir, &mut command)?;
        command.env("no_proxy", "*").stdin(Stdio::null()).process_group(0);
        command.stdout(File::create(dir.path().join("out"))?);
        command.stderr(File::create(dir.path().join("err"))?);
        let child = command.spawn()?;
        Ok(Self { child, dir })
    }

    /// Ends it, and all that it started, at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let group = format!("kill -s KILL -- -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }

    /// What it said of what went wrong.
    pub(crate) fn errors(&self) -> String {
        self.printed("err")
    }

    fn printed(&self, file: &str) -> String {
        fs::read_to_string(self.dir.path().join(file)).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
