//! An independent reading of an exposition: that of Python's
//! `prometheus_client`, in a process that parses many texts.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::Result;
use crate::exposition::Exposition;
use crate::required::Need;

const SCRIPT: &str = include_str!("parser.py");

/// The parsers' process; dropped, it ends.
///
/// Calls block, and take turns.
#[derive(Debug)]
pub struct Parser {
    pipes: Mutex<Pipes>,
}

#[derive(Debug)]
struct Pipes {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

// === impl Parser ===

impl Parser {
    /// Starts the process.
    ///
    /// # Errors
    ///
    /// Without [`Need::PythonClient`].
    pub fn start() -> Result<Self> {
        let mut command = Need::PythonClient.require()?.command();
        command.args(["-c", SCRIPT]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let requests = child.stdin.take().ok_or("the input is piped")?;
        let answers = child.stdout.take().ok_or("the output is piped")?;
        let answers = BufReader::new(answers);
        let pipes = Pipes {
            child,
            requests,
            answers,
        };
        let pipes = Mutex::new(pipes);
        Ok(Self { pipes })
    }

    /// Parses OpenMetrics 1.0.
    ///
    /// # Errors
    ///
    /// What the parser objects to, a series that is there twice, or a second
    /// HELP or TYPE.
    pub fn openmetrics(&self, text: &str) -> Result<Exposition, String> {
        self.parse("openmetrics", text)
    }

    /// Parses Prometheus's text format 0.0.4.
    ///
    /// This parser is laxer than Prometheus. It names counters as OpenMetrics
    /// does: the family without `_total`, its samples always with it.
    ///
    /// # Errors
    ///
    /// As [`Parser::openmetrics`].
    pub fn text(&self, text: &str) -> Result<Exposition, String> {
        self.parse("text", text)
    }

    fn parse(&self, format: &str, text: &str) -> Result<Exposition, String> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = pipes.exchange(format, text);
        drop(pipes);
        let answer = answer.map_err(|error| format!("the parser's process: {error}"))?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        if let Some(error) = answer["error"].as_str() {
            return Err(error.to_owned());
        }
        Exposition::from_json(&answer["families"])
    }
}

// === impl Pipes ===

impl Pipes {
    fn exchange(&mut self, format: &str, text: &str) -> io::Result<String> {
        writeln!(self.requests, "{format} {}", text.len())?;
        self.requests.write_all(text.as_bytes())?;
        self.requests.flush()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
