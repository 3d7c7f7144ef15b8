//! Measures what tower-vitals costs. Each part is one argument.

mod allocations;
mod app;
mod callgrind;
mod no_op;
mod requests;
mod table;
mod versions;

use std::{env, process::ExitCode};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
usage: cargo run --release -p benches -- PART

parts:
  requests  instructions, allocations and bytes that a layer adds to each request";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        [] => {
            println!("{USAGE}");
            Ok(())
        }
        ["requests"] => requests::run(),
        // What `requests` starts under callgrind.
        ["requests", entry, count] => requests::serve(entry, count),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
