//! Measures what tower-vitals costs. Each part is one argument.

use std::{env, process::ExitCode};

use benches::{Result, parts};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result: Result<()> = match arguments[..] {
        [] => {
            println!("{}", parts::USAGE);
            Ok(())
        }
        [part] if parts::exists(part) => parts::run(part),
        // What a part starts this program for.
        [part, ref rest @ ..] if parts::has_children(part) => parts::child(part, rest),
        _ => {
            eprintln!("{}", parts::USAGE);
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
