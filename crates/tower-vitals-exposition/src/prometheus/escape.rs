//! Text on one line.

/// Appends help text. Only OpenMetrics escapes quotes there.
pub(super) fn help(out: &mut String, help: &str, quotes: bool) {
    for char in help.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_escapes_what_it_must() {
        let escaped = |quotes| {
            let mut out = String::new();
            help(&mut out, "a\\b\n\"c\"", quotes);
            out
        };
        assert_eq!(escaped(true), r#"a\\b\n\"c\""#);
        assert_eq!(escaped(false), r#"a\\b\n"c""#);
    }
}
