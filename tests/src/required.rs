//! Required or ignored: tests that need an outside program.
//!
//! Where the program is absent, such a test is reported as ignored with the
//! reason, or fails when `CI=true`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};

use crate::Result;

/// An outside program that is there.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    /// A variable that it needs.
    var: Option<(&'static str, OsString)>,
}

/// What a test needs from the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The Prometheus server.
    Prometheus,
    /// Prometheus's own checker.
    Promtool,
    /// A Python 3 that has `prometheus_client`.
    PythonClient,
    /// A Python 3 that has `websockets`.
    PythonWebsockets,
    /// A Node.js that has `ws`, in Debian's place or its own.
    NodeWs,
    /// The browser.
    Chromium,
    /// Valgrind, for counting instructions.
    Valgrind,
}

// === impl Program ===

impl Program {
    /// Looks on `PATH`, or at `name` itself where it is a path.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let dirs = std::env::var_os("PATH").unwrap_or_default();
        // Joining an absolute path gives that path.
        std::env::split_paths(&dirs)
            .map(|dir| dir.join(name))
            .find(|path| path.is_file())
            .map(|path| Self { path, var: None })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs it, with nothing on its input.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.stdin(Stdio::null()).envs(self.var.clone());
        command
    }
}

// === impl Need ===

impl Need {
    /// Finds the program that satisfies this need.
    #[must_use]
    pub fn find(self) -> Option<Program> {
        match self {
            Self::Prometheus => Program::find("prometheus"),
            Self::Promtool => Program::find("promtool"),
            Self::PythonClient => python_client(),
            Self::PythonWebsockets => python_websockets(),
            Self::NodeWs => node_ws(),
            Self::Chromium => Program::find("chromium"),
            Self::Valgrind => Program::find("valgrind"),
        }
    }

    /// As [`Need::find`].
    ///
    /// # Errors
    ///
    /// When absent, with the package that has it.
    pub fn require(self) -> Result<Program> {
        self.find().ok_or_else(|| self.missing().into())
    }

    fn missing(self) -> String {
        let (program, package) = match self {
            Self::Prometheus => ("prometheus", "prometheus"),
            Self::Promtool => ("promtool", "prometheus"),
            Self::PythonClient => ("python3 with prometheus_client", "python3-prometheus-client"),
            Self::PythonWebsockets => ("python3 with websockets", "python3-websockets"),
            Self::NodeWs => ("node with ws", "node-ws"),
            Self::Chromium => ("chromium", "chromium"),
            Self::Valgrind => ("valgrind", "valgrind"),
        };
        format!("needs {program} (Debian package {package})")
    }
}

/// A test that runs where every need is met.
pub fn trial(name: impl Into<String>, needs: &[Need], test: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
    let needs = needs.to_vec();
    Trial::ignorable_test(name, move || {
        let absent = needs.iter().filter(|need| need.find().is_none());
        let absent: Vec<String> = absent.map(|need| need.missing()).collect();
        if absent.is_empty() {
            return test().map(|()| Completion::Completed);
        }
        let ci = std::env::var_os("CI");
        refuse(absent.join(", "), ci.as_deref()).map(Completion::ignored_with)
    })
}

/// A [`trial`] with an async body, under the terms of [`run`].
pub fn trial_async<F>(
    name: impl Into<String>,
    needs: &[Need],
    limit: Duration,
    test: impl FnOnce() -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = Result<(), Failed>> + Send + 'static,
{
    trial(name, needs, move || run(limit, test()))
}

/// Runs an async test on two worker threads of its own.
///
/// # Errors
///
/// When the test fails, panics, or takes longer than `limit`, even if it
/// blocks its thread.
///
/// # Panics
///
/// When the runtime cannot start.
pub fn run<F>(limit: Duration, test: F) -> Result<(), Failed>
where
    F: Future<Output = Result<(), Failed>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts");
    let mut task = runtime.spawn(test);
    let ended = runtime.block_on(async { tokio::time::timeout(limit, &mut task).await });
    let result = match ended {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => Err(format!("the test panicked: {error}").into()),
        Err(_) => Err(format!("the test did not end within {limit:?}").into()),
    };
    // Drops what the test still holds, its processes among them.
    task.abort();
    runtime.shutdown_timeout(Duration::from_secs(2));
    result
}

/// The reason for which to ignore a test, or the failure that it is in CI.
fn refuse(reason: String, ci: Option<&OsStr>) -> Result<String, Failed> {
    if ci == Some(OsStr::new("true")) {
        return Err(format!("CI=true, and this test {reason}").into());
    }
    Ok(reason)
}

fn python_client() -> Option<Program> {
    static FOUND: OnceLock<Option<Program>> = OnceLock::new();
    let found = || python_with("prometheus_client.openmetrics.parser");
    FOUND.get_or_init(found).clone()
}

fn python_websockets() -> Option<Program> {
    static FOUND: OnceLock<Option<Program>> = OnceLock::new();
    FOUND.get_or_init(|| python_with("websockets")).clone()
}

fn node_ws() -> Option<Program> {
    static FOUND: OnceLock<Option<Program>> = OnceLock::new();
    let found = || {
        let mut node = Program::find("node")?;
        node.var = node_path();
        runs(&node, &["-e", "require('ws')"]).then_some(node)
    };
    FOUND.get_or_init(found).clone()
}

/// The `python3` on `PATH` may be one without the package, so that of the
/// system is tried as well.
fn python_with(module: &str) -> Option<Program> {
    let import = format!("import {module}");
    let mut found = ["python3", "/usr/bin/python3"].into_iter().filter_map(Program::find);
    found.find(|python| runs(python, &["-c", &import]))
}

/// Where Debian puts the packages of Node.js. A Node.js of other making does not look there by itself.
fn node_path() -> Option<(&'static str, OsString)> {
    let own = std::env::var_os("NODE_PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&own).chain([PathBuf::from("/usr/share/nodejs")]);
    Some(("NODE_PATH", std::env::join_paths(dirs).ok()?))
}

/// Whether the program ends well with these arguments.
fn runs(program: &Program, args: &[&str]) -> bool {
    let mut probe = program.command();
    probe.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    fn message(result: Result<(), Failed>) -> String {
        let failed = result.unwrap_err();
        failed.message().unwrap().to_owned()
    }

    #[test]
    fn finds_programs_by_name_and_by_path() {
        let sh = Program::find("sh").unwrap();
        assert_eq!(sh.path().file_name(), Some(OsStr::new("sh")));
        assert!(Program::find("/bin/sh").is_some());
        assert!(Program::find("no-such-program").is_none());
    }

    #[test]
    fn an_absent_program_is_ignored_here_and_fails_in_ci() {
        let reason = Need::Promtool.missing();
        let ignored = refuse(reason.clone(), None).unwrap();
        assert_eq!(ignored, "needs promtool (Debian package prometheus)");
        assert!(refuse(reason.clone(), Some(OsStr::new("false"))).is_ok());
        let failed = refuse(reason, Some(OsStr::new("true"))).unwrap_err();
        assert!(failed.message().unwrap().contains("needs promtool"));
    }

    #[test]
    fn a_panic_is_a_failure() {
        let result = run(LIMIT, async { panic!("broken") });
        assert!(message(result).contains("broken"));
    }

    #[test]
    fn a_test_that_waits_or_blocks_too_long_is_a_failure() {
        let expected = "the test did not end within 100ms";
        assert_eq!(message(run(LIMIT, std::future::pending())), expected);
        let (hold, blocked) = std::sync::mpsc::channel::<()>();
        let result = run(LIMIT, async move {
            blocked.recv().map_err(Failed::from)?;
            Ok(())
        });
        assert_eq!(message(result), expected);
        drop(hold);
    }
}
