//! Numbers as text.

use std::{fmt::Write, time::SystemTime};

use super::Number;

/// Appends a sample's value.
#[inline]
pub(crate) fn write(out: &mut String, number: Number) {
    match number {
        Number::Unsigned(value) => unsigned(out, value),
        Number::Signed(value) => out.push_str(itoa::Buffer::new().format(value)),
        Number::Float(value) => float(out, value),
        Number::Nanos(nanos) => self::nanos(out, nanos),
    }
}

/// Appends a whole number.
#[inline]
pub(crate) fn unsigned(out: &mut String, value: u64) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// Appends a float as Go's `ParseFloat` reads it.
pub(crate) fn float(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        // Debug turns to exponents where digits would get many. Writing to a string cannot fail.
        let _ = write!(out, "{value:?}");
    }
}

const SECOND: u64 = 1_000_000_000;

/// Appends nanoseconds as seconds, all digits that there are and no more.
fn nanos(out: &mut String, nanos: u128) {
    // Five centuries fit into 64 bits, which processors divide much faster.
    let rest = match u64::try_from(nanos) {
        Ok(nanos) => {
            unsigned(out, nanos / SECOND);
            nanos % SECOND
        }
        Err(_) => {
            let second = u128::from(SECOND);
            out.push_str(itoa::Buffer::new().format(nanos / second));
            #[allow(clippy::cast_possible_truncation)] // less than a second
            let rest = (nanos % second) as u64;
            rest
        }
    };
    if rest == 0 {
        return;
    }
    let mut buffer = itoa::Buffer::new();
    // Ten digits, the first of which becomes the point.
    let digits = &buffer.format(SECOND + rest)[1..];
    out.push('.');
    out.push_str(digits.trim_end_matches('0'));
}

/// Appends a wall-clock time as seconds since 1970, to the millisecond.
pub(crate) fn timestamp(out: &mut String, time: SystemTime) {
    let millis = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    nanos(out, millis * 1_000_000);
}

/// A bucket's bound as Prometheus writes it in the label `le` when it makes that itself (from protobuf, and from version 3 on always):
/// Go's shortest form (exponents below 1e-4 and from 1e6 on), and `.0` behind whole numbers. The same text in every format keeps it
/// the same series.
pub(crate) fn le(bound: f64) -> String {
    let exponent_form = format!("{bound:e}");
    let (mantissa, exponent) = exponent_form.split_once('e').unwrap_or((&exponent_form, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if bound != 0.0 && !(-4..GO_EXPONENT).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{bound}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

/// From this power of ten on Go's `%v` writes a float with an exponent.
const GO_EXPONENT: i32 = 6;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn bounds_read_as_go_writes_them() {
        for (bound, text) in [
            (0.0, "0.0"),
            (0.005, "0.005"),
            (0.0001, "0.0001"),
            (0.000_05, "5e-05"),
            (1.0, "1.0"),
            (2.5, "2.5"),
            (100_000.0, "100000.0"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (123_456.5, "123456.5"),
            (1e21, "1e+21"),
            (1e100, "1e+100"),
        ] {
            assert_eq!(le(bound), text);
        }
    }

    #[test]
    fn nothing_is_lost_in_nanoseconds() {
        let text = |number| {
            let mut out = String::new();
            write(&mut out, number);
            out
        };
        assert_eq!(text(Number::Nanos(0)), "0");
        assert_eq!(text(Number::Nanos(1)), "0.000000001");
        assert_eq!(text(Number::Nanos(61_500_000_000)), "61.5");
        assert_eq!(text(Number::Nanos(u128::from(u64::MAX) * 1000)), "18446744073709.551615");
        assert_eq!(text(Number::Signed(-3)), "-3");
        for (value, written) in [
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (1e300, "1e300"),
            (0.5, "0.5"),
        ] {
            assert_eq!(text(Number::Float(value)), written);
        }
    }

    #[test]
    fn times_have_milliseconds() {
        let mut out = String::new();
        timestamp(&mut out, SystemTime::UNIX_EPOCH + Duration::from_millis(1_500_000_000_250));
        assert_eq!(out, "1500000000.25");
    }
}
