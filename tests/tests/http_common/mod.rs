//! What the tests of the request layer share: reading the numbers, sending
//! one request over either version of HTTP, and an application with a path
//! for each way in which a response can end.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Request;
use http_body_util::Empty;
use tests::client::Client;
use tests::raw::RawConn;
use tests::until::until_eq;
use tests::{BoxError, Result};
use tower_vitals::{Vitals, encode::Protocol};

#[allow(dead_code, reason = "each test target uses a part")]
pub(crate) mod app;
#[allow(dead_code, reason = "each test target uses a part")]
pub(crate) mod sent;
#[allow(dead_code, reason = "each test target uses a part")]
pub(crate) mod who;

/// Gives up on what another task owes.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Numbers by label values, which a space parts; an empty value is a `-`.
pub(crate) type Numbers = BTreeMap<String, u64>;

/// All that the request layer tells of a Vitals.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// `http_requests_total` by method, route, status, auth type and outcome.
    pub(crate) requests: Numbers,
    /// `http_request_duration_seconds_count` by method, route and class.
    pub(crate) durations: Numbers,
    /// `http_requests_in_flight` by method, where it is not 0.
    pub(crate) in_flight: Numbers,
}

/// The two versions over TCP.
#[allow(dead_code, reason = "each test target uses a part")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.1, byte for byte.
    Http1,
    /// HTTP/2, by hyper's client.
    Http2,
}

#[allow(dead_code, reason = "each test target uses a part")]
pub(crate) const BOTH: [Version; 2] = [Version::Http1, Version::Http2];

// === impl Seen ===

#[allow(dead_code, reason = "each test target uses a part")]
impl Seen {
    pub(crate) fn of(vitals: &Vitals) -> Self {
        let text = vitals.encode_to_string(Protocol::TEXT);
        let requests = ["method", "route", "status", "auth_type", "outcome"];
        let mut in_flight = numbers(&text, "http_requests_in_flight", &["method"]);
        in_flight.retain(|_, count| *count != 0);
        Self {
            requests: numbers(&text, "http_requests_total", &requests),
            durations: numbers(
                &text,
                "http_request_duration_seconds_count",
                &["method", "route", "status_class"],
            ),
            in_flight,
        }
    }

    /// What there is when nothing is in flight any more.
    pub(crate) fn ended(requests: &[(&str, u64)], durations: &[(&str, u64)]) -> Self {
        Self {
            requests: owned(requests),
            durations: owned(durations),
            in_flight: Numbers::new(),
        }
    }

    /// What there is when only one request has come, which is under way.
    pub(crate) fn one_in_flight(method: &str) -> Self {
        let in_flight = owned(&[(method, 1)]);
        Self {
            in_flight,
            ..Self::default()
        }
    }

    /// Waits until this is all that there is, and sees it twice: nothing
    /// follows when the last request has left.
    pub(crate) async fn settles(&self, vitals: &Vitals) -> Result<()> {
        until_eq(LIMIT, self.clone(), || Self::of(vitals)).await?;
        assert_eq!(Self::of(vitals), *self);
        Ok(())
    }

    /// The sum of all requests.
    pub(crate) fn total(&self) -> u64 {
        self.requests.values().sum()
    }
}

// === impl Version ===

#[allow(dead_code, reason = "each test target uses a part")]
impl Version {
    pub(crate) async fn connect(self, addr: std::net::SocketAddr) -> Result<Client> {
        match self {
            Self::Http1 => Client::http1(addr).await,
            Self::Http2 => Client::http2(addr).await,
        }
    }

    /// Sends a request twice over one connection, and gives all that comes
    /// back, without the date: over HTTP/1.1 the bytes.
    pub(crate) async fn ask_twice(self, addr: std::net::SocketAddr, method: &str, path: &str, headers: &str) -> Result<String> {
        match self {
            Self::Http1 => ask_twice_http1(addr, method, path, headers).await,
            Self::Http2 => {
                let mut client = Client::http2(addr).await?;
                let mut seen = String::new();
                for _ in 0..2 {
                    seen += &ask_http2(&mut client, method, path, headers).await?;
                }
                Ok(seen)
            }
        }
    }
}

#[allow(dead_code, reason = "each test target uses a part")]
/// Asks twice over each version, which must make four requests with this route.
pub(crate) async fn counts_four(
    server: &tests::server::Server,
    vitals: &[&Vitals],
    path: &str,
    counted: &str,
    status: u16,
) -> Result<()> {
    for version in BOTH {
        version.ask_twice(server.addr(), "GET", path, "").await?;
    }
    let requests = format!("GET {counted} {status} none completed");
    let durations = format!("GET {counted} {}xx", status / 100);
    let four = Seen::ended(&[(&requests, 4)], &[(&durations, 4)]);
    for vitals in vitals {
        four.settles(vitals).await?;
    }
    Ok(())
}

/// Pipelined; the second request asks the server to close.
async fn ask_twice_http1(addr: std::net::SocketAddr, method: &str, path: &str, headers: &str) -> Result<String> {
    let mut conn = RawConn::connect(addr).await?;
    let once = format!("{method} {path} HTTP/1.1\r\nhost: shop.example\r\n{headers}");
    let both = format!("{once}\r\n{once}connection: close\r\n\r\n");
    conn.write(both.as_bytes()).await?;
    Ok(undated(&conn.read_all(LIMIT).await?))
}

async fn ask_http2(client: &mut Client, method: &str, path: &str, headers: &str) -> Result<String> {
    let mut request = Request::builder().method(method).uri(path);
    for line in headers.lines() {
        let (name, value) = line.split_once(": ").ok_or("a header has a colon")?;
        request = request.header(name, value);
    }
    let request = request.body(Empty::new())?;
    let mut answered = client.start(request).await?;
    let mut seen = match answered.head().await {
        Ok(head) => undated_head(head.status(), head.headers()),
        Err(error) => return Ok(format!("no head: {}\n", causes(error))),
    };
    loop {
        match answered.frame().await {
            Ok(None) => return Ok(seen + "end\n"),
            Err(error) => return Ok(format!("{seen}error: {}\n", causes(error))),
            Ok(Some(frame)) => match frame.into_data() {
                Ok(data) => seen += &format!("data {}: {data:?}\n", data.len()),
                Err(frame) => seen += &format!("{frame:?}\n"),
            },
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is the last to see it")]
fn causes(error: BoxError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// A head as a text, without the date.
pub(crate) fn undated_head(status: http::StatusCode, headers: &http::HeaderMap) -> String {
    let mut text = format!("{status}\n");
    for (name, value) in headers.iter().filter(|(name, _)| *name != "date") {
        text += &format!("{name}: {value:?}\n");
    }
    text
}

/// The bytes as a text, without the lines that give the date.
pub(crate) fn undated(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("date: ")).collect()
}

/// The values of all series with this name.
pub(crate) fn numbers(text: &str, name: &str, labels: &[&str]) -> Numbers {
    let samples = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    let mut found = Numbers::new();
    for sample in samples {
        let (pairs, value) = sample.rsplit_once("} ").expect("a sample has labels and a value");
        let mut values = labels_of(pairs);
        let value_of = |label: &&str| match values.remove(*label).expect("the label is there") {
            empty if empty.is_empty() => "-".to_owned(),
            value => value,
        };
        let key = labels.iter().map(value_of).collect::<Vec<_>>().join(" ");
        assert!(values.is_empty(), "labels that nobody expects: {sample}");
        let value = value.strip_suffix(".0").unwrap_or(value);
        let value = value.parse().expect("it is a whole number, and not negative");
        assert_eq!(found.insert(key, value), None, "a series is there twice: {sample}");
    }
    found
}

/// `a="1",b="2"`; none of the values in these tests needs escapes.
fn labels_of(pairs: &str) -> BTreeMap<String, String> {
    assert!(!pairs.contains('\\'), "escaped: {pairs}");
    let pairs = pairs.strip_suffix('"').expect("a value is quoted").split("\",");
    pairs
        .map(|pair| pair.split_once("=\"").expect("a label has a value"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[allow(dead_code, reason = "each test target uses a part")]
/// The values of all series with this name, by these labels.
pub(crate) fn family(vitals: &Vitals, name: &str, labels: &[&str]) -> Numbers {
    numbers(&vitals.encode_to_string(Protocol::TEXT), name, labels)
}

pub(crate) fn owned(numbers: &[(&str, u64)]) -> Numbers {
    numbers.iter().map(|(labels, value)| ((*labels).to_owned(), *value)).collect()
}
