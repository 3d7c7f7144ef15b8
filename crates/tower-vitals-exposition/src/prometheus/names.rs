//! Which names Prometheus takes. prometheus-client does not check those that it is given.

/// Whether this may be the name of a metric.
pub(super) fn is_metric(name: &str) -> bool {
    let colons = name.replace(':', "_");
    is_word(&colons)
}

/// Whether this may be the name of a label in a scrape.
pub(super) fn is_label(name: &str) -> bool {
    // Under that name Prometheus keeps the metric's own.
    is_word(name) && name != "__name__"
}

fn is_word(name: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(is_first) && name.bytes().all(|byte| is_first(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_classic_names_pass() {
        for name in ["a", "_a1", "a:b", ":a", "A_b"] {
            assert!(is_metric(name), "{name}");
        }
        for name in ["", "1a", "a-b", "a b", "a.b", "é", "a\nb", "a{"] {
            assert!(!is_metric(name), "{name}");
            assert!(!is_label(name), "{name}");
        }
        assert!(is_label("le") && is_label("_a") && !is_label("a:b") && !is_label("__name__"));
    }
}
