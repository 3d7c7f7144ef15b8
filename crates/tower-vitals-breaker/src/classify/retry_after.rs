//! How long a server asks to be left alone.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{DATE, RETRY_AFTER},
};
use httpdate::parse_http_date;

const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// The time in `Retry-After`: seconds, or a date. A date is seen from the `Date` of the same response, which is of the same clock, and
/// otherwise from `now`. None when there is no such field, or it is not valid, or the date is over.
pub(super) fn retry_after(headers: &HeaderMap, now: impl FnOnce() -> Option<SystemTime>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?;
    let text = value.to_str().ok()?.trim();
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return digits(text).map(Duration::from_secs);
    }
    let until = parse_http_date(text).ok()?;
    let from = headers.get(DATE).and_then(date).or_else(now)?;
    until.duration_since(from).ok()
}

/// The time in `grpc-retry-pushback-ms`. None when it is not a number, or negative, by which a server says not to try again.
pub(super) fn pushback(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(PUSHBACK)?.to_str().ok()?.trim();
    digits(text).map(Duration::from_millis)
}

/// A number of digits only: `parse` would take a sign, too.
fn digits(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    parse_http_date(value.to_str().ok()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;

    use super::*;

    /// A number of seconds after 2026-01-01 00:00:00, which is a Thursday.
    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_767_225_600 + seconds)
    }

    fn headers(fields: &[(HeaderName, &[u8])]) -> HeaderMap {
        let value = |value| HeaderValue::from_bytes(value).unwrap();
        fields.iter().map(|(name, bytes)| (name.clone(), value(bytes))).collect()
    }

    fn asked(text: &str) -> Option<Duration> {
        retry_after(&headers(&[(RETRY_AFTER, text.as_bytes())]), || Some(at(0)))
    }

    #[test]
    fn seconds_are_digits() {
        assert_eq!(asked("0"), Some(Duration::ZERO));
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(asked("18446744073709551615"), Some(Duration::from_secs(u64::MAX)));
        for garbage in [
            "",
            "-1",
            "+1",
            "1.5",
            "1e3",
            "18446744073709551616",
            "0x10",
            "1 2",
            "soon",
            "NaN",
            "१",
        ] {
            assert_eq!(asked(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn a_date_is_seen_from_now() {
        let minute = Some(Duration::from_secs(60));
        assert_eq!(asked("Thu, 01 Jan 2026 00:01:00 GMT"), minute);
        assert_eq!(asked("Thursday, 01-Jan-26 00:01:00 GMT"), minute, "RFC 850");
        assert_eq!(asked("Thu Jan  1 00:01:00 2026"), minute, "asctime");
        assert_eq!(asked("Wed, 31 Dec 2025 23:59:59 GMT"), None, "it is over");
        assert!(asked("Fri, 31 Dec 9999 23:59:59 GMT") > Some(Duration::from_secs(1 << 37)));
        for garbage in [
            "Thu, 41 Jan 2026 00:01:00 GMT",
            "Thu, 01 Jan 2026 00:01:00",
            "Thu, 01 Jan 99999 00:00:00 GMT",
        ] {
            assert_eq!(asked(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn the_date_of_the_response_comes_before_our_clock() {
        let until = (RETRY_AFTER, &b"Thu, 01 Jan 2026 01:00:30 GMT"[..]);
        let dated = headers(&[until.clone(), (DATE, b"Thu, 01 Jan 2026 01:00:00 GMT")]);
        assert_eq!(retry_after(&dated, || Some(at(0))), Some(Duration::from_secs(30)));
        let wrongly = headers(&[until.clone(), (DATE, b"today")]);
        assert_eq!(retry_after(&wrongly, || Some(at(0))), Some(Duration::from_secs(3630)));
        assert_eq!(retry_after(&headers(&[until]), || None), None);
    }

    #[test]
    fn a_pushback_is_not_negative() {
        let of = |text: &[u8]| pushback(&headers(&[(PUSHBACK, text)]));
        assert_eq!(of(b"1500"), Some(Duration::from_millis(1500)));
        for garbage in [&b"-1"[..], b"+5", b"", b"1s", b"99999999999999999999", b"\xff"] {
            assert_eq!(of(garbage), None, "{garbage:?}");
        }
        assert_eq!(pushback(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(value in any::<Vec<u8>>(), date in "[A-Za-z]{3}, [0-9]{2} [A-Za-z]{3} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT") {
            let values = [HeaderValue::from_bytes(&value).ok(), date.parse().ok()];
            for value in values.into_iter().flatten() {
                let headers = HeaderMap::from_iter([(RETRY_AFTER, value.clone()), (DATE, value.clone()), (PUSHBACK, value)]);
                retry_after(&headers, || Some(at(0)));
                pushback(&headers);
            }
        }
    }
}
