//! Which protocol a scraper gets.

use http::{HeaderMap, header::ACCEPT};
use tower_vitals_core::encode::{Escaping, Protocol};

/// The kinds of protocols that a route may be restricted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolKind {
    /// OpenMetrics text.
    OpenMetrics,
    /// Prometheus text.
    Text,
}

impl ProtocolKind {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::OpenMetrics, Self::Text];

    /// What this kind gives when nobody asked for anything that there is.
    fn fallback(self) -> Protocol {
        match self {
            Self::OpenMetrics => Protocol::OPEN_METRICS,
            Self::Text => Protocol::TEXT,
        }
    }
}

/// The protocol with the highest quality in the `Accept` headers among those that are allowed; the first one where several have the
/// same. Prometheus text 0.0.4 when none fits, because an answer helps more than a 406: people's tools and scrapers both read it.
pub(crate) fn negotiate(headers: &HeaderMap, allowed: &[ProtocolKind]) -> Protocol {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<&str> = values.flat_map(|value| split(value, ',')).collect();
    // What a range by name refuses is not what `*/*` means.
    let refused = |kind: &ProtocolKind| {
        let mut named = ranges.iter().filter_map(|range| read(range, &[*kind], None));
        named.any(|(quality, _)| quality == 0)
            && !ranges
                .iter()
                .any(|range| matches!(read(range, &[*kind], None), Some((1.., _))))
    };
    let left: Vec<ProtocolKind> = allowed.iter().copied().filter(|kind| !refused(kind)).collect();
    let any = (!left.is_empty()).then(|| default(&left));
    let mut best: Option<(u16, Protocol)> = None;
    for range in &ranges {
        let Some((quality, protocol)) = read(range, allowed, any) else {
            continue;
        };
        if quality > best.map_or(0, |(quality, _)| quality) {
            best = Some((quality, protocol));
        }
    }
    best.map_or_else(|| default(allowed), |(_, protocol)| protocol)
}

fn default(allowed: &[ProtocolKind]) -> Protocol {
    let text = allowed.contains(&ProtocolKind::Text);
    let first = allowed.first().copied().filter(|_| !text);
    first.unwrap_or(ProtocolKind::Text).fallback()
}

/// One media range: its quality in thousandths, and the protocol that it means. `any` is what `*/*` means.
fn read(range: &str, allowed: &[ProtocolKind], any: Option<Protocol>) -> Option<(u16, Protocol)> {
    let mut parts = split(range, ';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let (mut version, mut escaping, mut quality) = (None, Escaping::Unspecified, 1000);
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "version" => version = Some(value),
            "escaping" => escaping = scheme(value),
            "q" => quality = thousandths(value)?,
            _ => {}
        }
    }
    let protocol = match (media.as_str(), version) {
        ("application/openmetrics-text", Some("1.0.0")) => Protocol::OpenMetrics1(escaping),
        ("application/openmetrics-text", Some("0.0.1") | None) => Protocol::OpenMetrics0,
        ("text/plain", Some("1.0.0")) => Protocol::Text1(escaping),
        ("text/plain", Some("0.0.4") | None) | ("text/*", _) => Protocol::Text0,
        ("*/*", _) => any?,
        _ => return None,
    };
    let kind = if protocol.is_open_metrics() {
        ProtocolKind::OpenMetrics
    } else {
        ProtocolKind::Text
    };
    allowed.contains(&kind).then_some((quality, protocol))
}

/// What is unknown is not repeated in the reply.
fn scheme(name: &str) -> Escaping {
    match name {
        "allow-utf-8" => Escaping::AllowUtf8,
        "underscores" => Escaping::Underscores,
        "dots" => Escaping::Dots,
        "values" => Escaping::Values,
        _ => Escaping::Unspecified,
    }
}

/// A quality as RFC 9110 has it: from 0 to 1 with at most three digits behind the point. Nothing when it is anything else.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: u16 = format!("{digits:0<3}").parse().ok()?;
    match whole {
        "0" => Some(digits),
        "1" if digits == 0 => Some(1000),
        _ => None,
    }
}

/// Splits outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |char: char| {
        quoted ^= char == '"';
        char == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(accept: &str) -> &'static str {
        let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
        negotiate(&headers, &ProtocolKind::ALL).content_type()
    }

    const OM1: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const OM0: &str = "application/openmetrics-text; version=0.0.1; charset=utf-8";
    const TEXT0: &str = "text/plain; version=0.0.4; charset=utf-8";

    #[test]
    fn what_prometheus_2_42_sends() {
        let accept = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(negotiated(accept), OM1);
        let native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
                      application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(negotiated(native), OM1);
    }

    #[test]
    fn what_prometheus_3_sends() {
        let accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                      application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                      text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(
            negotiated(accept),
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
        );
    }

    #[test]
    fn quality_decides_and_then_the_order() {
        for (accept, expected) in [
            (
                "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.8",
                TEXT0,
            ),
            ("application/openmetrics-text;version=0.0.1,text/plain", OM0),
            ("text/plain,application/openmetrics-text;version=1.0.0", TEXT0),
            ("application/openmetrics-text;version=1.0.0;q=0,text/plain;q=0.1", TEXT0),
            ("text/plain;q=0,*/*", OM1),
            ("text/plain;version=1.0.0;q=0,text/plain;q=0.5,*/*;q=0.1", TEXT0),
            ("text/plain;q=0,application/openmetrics-text;q=0,*/*", TEXT0),
            ("application/openmetrics-text; version=\"1.0.0\" ; q=1.000", OM1),
            ("APPLICATION/OPENMETRICS-TEXT;VERSION=1.0.0", OM1),
            ("application/openmetrics-text", OM0),
            (
                "text/plain;version=1.0.0;escaping=dots",
                "text/plain; version=1.0.0; charset=utf-8; escaping=dots",
            ),
            (
                "text/plain;version=1.0.0;escaping=\"x, y\"",
                "text/plain; version=1.0.0; charset=utf-8",
            ),
        ] {
            assert_eq!(negotiated(accept), expected, "{accept}");
        }
    }

    #[test]
    fn whoever_asks_for_nothing_we_have_gets_text() {
        for accept in [
            "",
            "*/*",
            "text/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/json",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;version=1.0.0;q=2",
            "application/openmetrics-text;version=1.0.0;q=0.1234",
            "text/plain;version=9",
            ";;;,,,=\"",
        ] {
            assert_eq!(negotiated(accept), TEXT0, "{accept}");
        }
        assert_eq!(negotiate(&HeaderMap::new(), &ProtocolKind::ALL), Protocol::TEXT);
    }

    #[test]
    fn a_restricted_route_gives_nothing_else() {
        let headers = HeaderMap::from_iter([(ACCEPT, "application/openmetrics-text;version=1.0.0".parse().unwrap())]);
        assert_eq!(negotiate(&headers, &[ProtocolKind::Text]), Protocol::TEXT);
        let headers = HeaderMap::from_iter([(ACCEPT, "text/plain".parse().unwrap())]);
        assert_eq!(negotiate(&headers, &[ProtocolKind::OpenMetrics]), Protocol::OPEN_METRICS);
    }

    #[test]
    fn several_headers_count_as_one() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, "text/plain;q=0.2".parse().unwrap());
        headers.append(ACCEPT, "application/openmetrics-text;version=1.0.0;q=0.3".parse().unwrap());
        assert_eq!(negotiate(&headers, &ProtocolKind::ALL), Protocol::OPEN_METRICS);
    }
}
