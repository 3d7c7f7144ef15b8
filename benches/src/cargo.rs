//! Cargo, with which this program builds and runs others of its package.

use std::{env, process::Command};

/// Cargo doing `command` with this package and its lock file, wherever this program was started.
pub(crate) fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        command,
        "--locked",
        "--manifest-path",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    ]);
    cargo
}
