//! The examples, run as a user runs them: their own processes, real signals, real HTTP.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;
use tempfile::TempDir;

use crate::Result;
use crate::client::{Client, get};
use crate::exchange::Exchange;
use crate::required::run;
use crate::until::{until, until_async};

/// How long an example may take for anything that it does at once.
pub const SOON: Duration = Duration::from_secs(10);

/// Between two scrapes.
pub const PAUSE: Duration = Duration::from_millis(20);

const BUILD_LIMIT: Duration = Duration::from_secs(600);

/// A running example; dropped, it is killed.
#[derive(Debug)]
pub struct Example {
    child: Child,
    /// The first one that it printed.
    addr: SocketAddr,
    dir: TempDir,
}

/// The program of an example, built by the first test that wants it.
///
/// # Errors
///
/// When it does not compile.
pub fn program(name: &str) -> Result<&'static Path, Failed> {
    static PROGRAMS: Mutex<BTreeMap<String, Result<&'static Path, String>>> = Mutex::new(BTreeMap::new());
    let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    let program = programs.entry(name.to_owned()).or_insert_with(|| match build(name) {
        // Every test wants it until the last one ends.
        Ok(program) => Ok(Box::leak(program.into_boxed_path())),
        Err(error) => Err(error.to_string()),
    });
    program.clone().map_err(Failed::from)
}

// === impl Example ===

impl Example {
    /// Starts one on a free port and waits until it says how to stop it, by Ctrl-C.
    ///
    /// # Errors
    ///
    /// When it does not serve soon.
    pub async fn start(program: &Path, vars: &[(&str, &str)]) -> Result<Self> {
        let mut example = Self::spawn(program, Some("127.0.0.1:0"), vars)?;
        let printed = || example.output().unwrap_or_default();
        let printed = until(SOON, printed, |printed| printed.contains("Ctrl-C")).await;
        let printed = printed.map_err(|error| format!("{error}; {:?}", example.errors()))?;
        let url = printed.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        example.addr = url.ok_or("there is a URL")?.parse()?;
        Ok(example)
    }

    /// Starts one with this `ADDR`.
    ///
    /// # Errors
    ///
    /// When the program cannot be run.
    pub fn spawn(program: &Path, addr: Option<&str>, vars: &[(&str, &str)]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.env_remove("ADDR").env_remove("LOAD").envs(vars.iter().copied());
        command.envs(addr.map(|addr| ("ADDR", addr))).stdin(Stdio::null());
        command.stdout(File::create(dir.path().join("out"))?);
        command.stderr(File::create(dir.path().join("err"))?);
        Ok(Self {
            child: command.spawn()?,
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            dir,
        })
    }

    /// The first address that it printed.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connects for HTTP/1.1.
    ///
    /// # Errors
    ///
    /// When it does not listen.
    pub async fn client(&self) -> Result<Client> {
        Client::http1(self.addr).await
    }

    /// Sends a GET and waits until as many are in flight.
    ///
    /// # Errors
    ///
    /// When that is not so soon.
    pub async fn open(&self, path: &str, in_flight: usize) -> Result<Exchange> {
        let exchange = self.client().await?.start(get(path)).await?;
        let line = "http_requests_in_flight{method=\"GET\"}";
        self.shows(line, vec![format!("{line} {in_flight}")]).await?;
        Ok(exchange)
    }

    /// Waits until the lines of a scrape that start so are exactly these, in any order.
    ///
    /// # Errors
    ///
    /// When they are not soon, with those of the last scrape.
    pub async fn shows(&self, start: &str, mut expected: Vec<String>) -> Result<()> {
        expected.sort();
        let lines = || self.lines(start);
        let is_expected = |lines: &Result<Vec<String>>| matches!(lines, Ok(lines) if *lines == expected);
        let seen = until_async(SOON, PAUSE, lines, is_expected).await;
        seen.map_err(|error| format!("expected {expected:#?}: {error}"))??;
        Ok(())
    }

    /// The lines of a scrape that start so, sorted.
    ///
    /// # Errors
    ///
    /// When there is no scrape.
    pub async fn lines(&self, start: &str) -> Result<Vec<String>> {
        let answer = self.client().await?.send(get("/metrics")).await?;
        let lines = answer.text()?.lines().filter(|line| line.starts_with(start));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        Ok(lines)
    }

    /// Sends a signal, by the command that every POSIX shell has built in.
    ///
    /// # Errors
    ///
    /// When it is gone.
    pub fn signal(&self, name: &str) -> Result<()> {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status()?;
        if status.success() { Ok(()) } else { Err(kill.into()) }
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// When it does not soon, or by a signal.
    pub async fn exit_code(&mut self) -> Result<i32> {
        let exited = || self.child.try_wait();
        let exited = until(SOON, exited, |exited| !matches!(exited, Ok(None))).await??;
        Ok(exited.and_then(|status| status.code()).ok_or("a signal ended it")?)
    }

    /// What it has printed so far.
    ///
    /// # Errors
    ///
    /// When that cannot be read.
    pub fn output(&self) -> Result<String> {
        Ok(fs::read_to_string(self.dir.path().join("out"))?)
    }

    /// What it has printed to standard error so far.
    ///
    /// # Errors
    ///
    /// When that cannot be read.
    pub fn errors(&self) -> Result<String> {
        Ok(fs::read_to_string(self.dir.path().join("err"))?)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the example said:\n{}", self.errors().unwrap_or_default());
        }
    }
}

/// Builds it into the directory of this very test, for the whole workspace's features, so that nothing is built twice after
/// `cargo test --workspace`.
fn build(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let profile_dir = this.ancestors().nth(2).ok_or("a test lies in target/<profile>/deps")?;
    let target_dir = profile_dir.parent().ok_or("a profile lies in the target directory")?;
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => "dev",
        Some(profile) => profile,
    };
    let messages = tempfile::NamedTempFile::new()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(cargo);
    cargo.args([
        "build",
        "--quiet",
        "--workspace",
        "--example",
        name,
        "--message-format",
        "json",
    ]);
    cargo.args(["--profile", profile, "--target-dir"]).arg(target_dir);
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(messages.reopen()?);
    let mut child = cargo.spawn()?;
    let built = run(BUILD_LIMIT, async move {
        let built = until(BUILD_LIMIT, || child.try_wait(), |built| !matches!(built, Ok(None))).await;
        // What is still under way is too late.
        let _ = child.kill();
        match built?? {
            Some(status) if status.success() => Ok(()),
            status => Err(format!("cargo build: {status:?}").into()),
        }
    });
    let messages = fs::read_to_string(messages.path())?;
    built.map_err(|error| format!("{}: {messages}", error.message().unwrap_or_default()))?;
    let executable = |message: &str| -> Option<PathBuf> {
        let message: Value = serde_json::from_str(message).ok()?;
        let is_it = message["target"]["name"] == name && message["target"]["kind"][0] == "example";
        is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
    };
    Ok(messages.lines().find_map(executable).ok_or("cargo names the executable")?)
}
