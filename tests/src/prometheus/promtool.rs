//! What Prometheus's own checker says.

use std::io::Write;
use std::process::{ChildStdin, Output, Stdio};

use crate::Result;
use crate::required::Need;

/// Gives `text`, in the text format 0.0.4, to `promtool check metrics`.
///
/// # Errors
///
/// What promtool prints, be it a lint, where it is not content or absent.
pub fn promtool_check_metrics(text: &str) -> Result<(), String> {
    let output = check(text).map_err(|error| error.to_string())?;
    if output.status.success() && output.stdout.is_empty() && output.stderr.is_empty() {
        return Ok(());
    }
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    Err(format!("promtool, {}: {out}{err}", output.status))
}

fn check(text: &str) -> Result<Output> {
    let mut command = Need::Promtool.require()?.command();
    command.args(["check", "metrics"]).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let input = child.stdin.take().ok_or("the input is piped")?;
    // From another thread, since promtool may answer before it has read all.
    std::thread::scope(|scope| {
        scope.spawn(move || write_all(input, text));
        Ok(child.wait_with_output()?)
    })
}

/// A promtool that stops reading tells why by itself.
fn write_all(mut input: ChildStdin, text: &str) {
    let _ = input.write_all(text.as_bytes());
}
