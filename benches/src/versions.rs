//! What was measured with what.

use std::process::Command;

/// The compiler that built this program.
pub(crate) const RUSTC: &str = env!("RUSTC_VERSION");

/// The version of a package that this program was built with, where its lock file still is; several where there are several.
pub(crate) fn of(package: &str) -> Option<String> {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).ok()?;
    let versions = locked(&lock, package);
    (!versions.is_empty()).then(|| versions.join(" and "))
}

/// What a program says of its version, in the first line that it prints.
pub(crate) fn of_program(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next()?.split(" Copyright").next()?;
    Some(line.to_owned())
}

fn locked<'a>(lock: &'a str, package: &str) -> Vec<&'a str> {
    let name = format!("name = \"{package}\"");
    let names = lock.lines().zip(lock.lines().skip(1)).filter(|(line, _)| *line == name);
    names
        .filter_map(|(_, version)| version.strip_prefix("version = \"")?.strip_suffix('"'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_by_the_whole_name() {
        let lock = [
            ("axum-core", "0.5.6"),
            ("axum", "0.8.9"),
            ("http", "0.2.12"),
            ("http", "1.1.0"),
        ]
        .map(|(name, version)| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n"))
        .join("\n");
        assert_eq!(locked(&lock, "axum"), ["0.8.9"]);
        assert_eq!(locked(&lock, "http"), ["0.2.12", "1.1.0"]);
        assert!(locked(&lock, "hyper").is_empty());
    }
}
