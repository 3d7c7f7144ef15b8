//! What was measured with what.

/// The compiler that built this program.
pub(crate) const RUSTC: &str = env!("RUSTC_VERSION");

/// The version of a package that this program was built with, where its lock file still is.
pub(crate) fn of(package: &str) -> Option<String> {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).ok()?;
    locked(&lock, package).map(str::to_owned)
}

fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_by_the_whole_name() {
        let lock =
            "[[package]]\nname = \"axum-core\"\nversion = \"0.5.6\"\n\n[[package]]\nname = \"axum\"\nversion = \"0.8.9\"\n";
        assert_eq!(locked(lock, "axum"), Some("0.8.9"));
        assert_eq!(locked(lock, "hyper"), None);
    }
}
