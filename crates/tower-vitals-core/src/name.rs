//! What Prometheus and OpenMetrics allow in names.

use crate::{Kind, RegisterError, Unit};

/// Longer names are mistakes; the bound keeps every line of a scrape short.
const LONGEST: usize = 200;

/// The family's full name (namespace, name and unit, without `_total`), and its unit, which may be seen from the name.
pub(crate) fn family(
    namespace: &str,
    name: &str,
    kind: Kind,
    unit: Option<Unit>,
) -> Result<(String, Option<Unit>), RegisterError> {
    check(
        "metric name",
        name,
        "may only have letters, digits and `_` (a colon is for recording rules)",
    )?;
    let base = match kind {
        Kind::Counter => name.strip_suffix("_total").unwrap_or(name),
        Kind::Gauge | Kind::Histogram if name.ends_with("_total") => {
            return Err(RegisterError::name(
                "metric name",
                name,
                "must not end in `_total`, which is for counters",
            ));
        }
        Kind::Gauge | Kind::Histogram => name,
    };
    if base.is_empty() {
        return Err(RegisterError::name("metric name", name, "must say more than `_total`"));
    }
    let mut full = String::new();
    if !namespace.is_empty() {
        full.push_str(namespace);
        full.push('_');
    }
    full.push_str(base);
    let ends_in = |full: &str, unit: Unit| full.strip_suffix(unit.as_str()).is_some_and(|rest| rest.ends_with('_'));
    let unit = unit.or_else(|| Unit::ALL.into_iter().find(|unit| ends_in(&full, *unit)));
    if let Some(unit) = unit.filter(|unit| !ends_in(&full, *unit)) {
        full.push('_');
        full.push_str(unit.as_str());
    }
    Ok((full, unit))
}

/// A namespace: empty, or the first words of a metric name.
pub(crate) fn namespace(name: &str) -> Result<(), RegisterError> {
    if name.is_empty() {
        return Ok(());
    }
    check("namespace", name, "may only have letters, digits and `_`")
}

/// A label name that is not one of Prometheus' own.
pub(crate) fn label(name: &str) -> Result<(), RegisterError> {
    check("label name", name, "may only have letters, digits and `_`")?;
    if name.starts_with("__") {
        return Err(RegisterError::name(
            "label name",
            name,
            "must not start with `__`, which Prometheus keeps for itself",
        ));
    }
    if name == "le" || name == "quantile" {
        return Err(RegisterError::name(
            "label name",
            name,
            "is reserved for the buckets and quantiles of Prometheus",
        ));
    }
    Ok(())
}

fn check(what: &'static str, name: &str, rest: &'static str) -> Result<(), RegisterError> {
    let Some(first) = name.chars().next() else {
        return Err(RegisterError::name(what, name, "must not be empty"));
    };
    if !first.is_ascii_alphabetic() && first != '_' {
        return Err(RegisterError::name(what, name, "must start with a letter or `_`"));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(RegisterError::name(what, name, rest));
    }
    if name.len() > LONGEST {
        return Err(RegisterError::name(what, name, "must not be longer than 200 characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_and_unit_come_out_once() {
        let counter = |name, unit| family("", name, Kind::Counter, unit).unwrap().0;
        assert_eq!(counter("jobs_total", None), "jobs");
        assert_eq!(counter("jobs", None), "jobs");
        assert_eq!(counter("sent_bytes_total", Some(Unit::Bytes)), "sent_bytes");
        assert_eq!(counter("sent_total", Some(Unit::Bytes)), "sent_bytes");
        let (name, unit) = family("shop", "wait_seconds", Kind::Histogram, None).unwrap();
        assert_eq!((name.as_str(), unit), ("shop_wait_seconds", Some(Unit::Seconds)));
        assert_eq!(family("", "kilobytes", Kind::Gauge, None).unwrap().1, None);
        assert_eq!(family("", "bytes", Kind::Gauge, Some(Unit::Bytes)).unwrap().0, "bytes_bytes");
    }

    #[test]
    fn what_prometheus_refuses_is_an_error_that_names_the_rule() {
        for (name, rule) in [
            ("", "must not be empty"),
            ("9lives", "must start with a letter"),
            ("a-b", "may only have letters"),
            ("a:b", "colon"),
            ("naïve", "may only have letters"),
            ("_total", "must say more"),
            ("a\nb", "may only have letters"),
        ] {
            let error = family("", name, Kind::Counter, None).unwrap_err().to_string();
            assert!(error.contains(rule), "{name:?}: {error}");
            assert!(!error.contains('\n'));
        }
        assert!(family("", &"x".repeat(201), Kind::Counter, None).is_err());
        assert!(
            family("", "users_total", Kind::Gauge, None)
                .unwrap_err()
                .to_string()
                .contains("for counters")
        );
        for name in ["", "le", "quantile", "__name__", "a.b", "1a", "é"] {
            assert!(label(name).is_err(), "{name:?}");
        }
        assert!(label("method").is_ok() && namespace("").is_ok() && namespace("a b").is_err());
    }
}
