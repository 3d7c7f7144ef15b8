use std::{collections::BTreeMap, fmt, time::Duration};

use tower_vitals_core::{Clock, Vitals, encode::Protocol};
use tower_vitals_ws::{Connection, Endpoint, SortBy, WebSockets};

/// A Vitals with one endpoint.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) vitals: Vitals,
    pub(crate) endpoint: Endpoint,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(Vitals::new())
    }

    /// One whose clock is Tokio's.
    pub(crate) fn paused() -> Self {
        tokio::time::pause();
        Self::of(Vitals::builder().clock(Clock::tokio()).build().unwrap())
    }

    fn of(vitals: Vitals) -> Self {
        let endpoint = WebSockets::of(&vitals).endpoint("chat");
        Self { vitals, endpoint }
    }

    /// The same, whose clock is tokio's.
    pub(crate) fn timed() -> Self {
        let vitals = Vitals::builder().clock(Clock::tokio()).build().unwrap();
        let endpoint = WebSockets::of(&vitals).endpoint("chat");
        Self { vitals, endpoint }
    }

    pub(crate) fn sockets(&self) -> WebSockets {
        WebSockets::of(&self.vitals)
    }

    /// The only connection that is open.
    pub(crate) fn only(&self) -> Connection {
        let [only] = <[Connection; 1]>::try_from(self.sockets().connections(SortBy::Age, 2)).unwrap();
        only
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts::of(&self.vitals.encode_to_string(Protocol::TEXT))
    }

    /// Looks until `accept` likes what a scrape says.
    pub(crate) async fn until(&self, accept: impl Fn(&Counts) -> bool) -> Counts {
        for _ in 0..2_000 {
            let counts = self.counts();
            if accept(&counts) {
                return counts;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never accepted, at last {:#?}", self.counts())
    }

    /// How all connections ended, each once all are gone.
    pub(crate) async fn ends(&self) -> Vec<String> {
        self.until(|counts| counts.connections() == 0).await.ends()
    }
}

/// What a scrape says: values by names without their prefix, and labels without that of the endpoint.
pub(crate) struct Counts(BTreeMap<String, u64>);

/// So many messages, and their bytes.
pub(crate) type Amount = (u64, u64);

impl Counts {
    fn of(text: &str) -> Self {
        let samples = text.lines().filter_map(|line| line.strip_prefix("websocket_"));
        let samples = samples.filter_map(|sample| sample.rsplit_once(' '));
        let plain = |series: &str| series.replace(r#"endpoint="chat","#, "").replace(r#"{endpoint="chat"}"#, "");
        // A sum of seconds is the one that is no whole number.
        let values = samples.filter_map(|(series, value)| Some((plain(series), value.parse().ok()?)));
        Self(values.collect())
    }

    /// Nothing was ever counted that is not there.
    pub(crate) fn of_series(&self, series: &str) -> u64 {
        self.0
            .get(series)
            .copied()
            .unwrap_or_else(|| panic!("no {series} in {self:#?}"))
    }

    fn amount(&self, what: &str) -> Amount {
        let of = |unit: &str| self.of_series(&what.replace('*', unit));
        (of("messages"), of("bytes"))
    }

    pub(crate) fn received(&self, kind: &str) -> Amount {
        self.amount(&format!(r#"*_received_total{{kind="{kind}"}}"#))
    }

    pub(crate) fn attempted(&self) -> Amount {
        self.amount("*_attempted_total")
    }

    pub(crate) fn flushed(&self) -> Amount {
        self.amount("*_flushed_total")
    }

    pub(crate) fn buffered(&self) -> Amount {
        self.amount("buffered_*")
    }

    /// What waits in outboxes.
    pub(crate) fn queued(&self) -> Amount {
        (self.of_series("queue_depth"), self.of_series("queue_bytes"))
    }

    pub(crate) fn dropped(&self, reason: &str) -> Amount {
        self.amount(&format!(r#"*_dropped_total{{reason="{reason}"}}"#))
    }

    /// What was dropped for any reason.
    pub(crate) fn all_dropped(&self) -> Amount {
        (self.sum("messages_dropped_total{"), self.sum("bytes_dropped_total{"))
    }

    /// What came of any kind.
    pub(crate) fn all_received(&self) -> Amount {
        (self.sum("messages_received_total{"), self.sum("bytes_received_total{"))
    }

    fn sum(&self, prefix: &str) -> u64 {
        let mine = self.0.iter().filter(|(series, _)| series.starts_with(prefix));
        mine.map(|(_, value)| value).sum()
    }

    /// By the sizes of messages.
    pub(crate) fn sizes(&self, direction: &str) -> Amount {
        let of = |what: &str| self.of_series(&format!(r#"message_size_bytes_{what}{{direction="{direction}"}}"#));
        (of("count"), of("sum"))
    }

    pub(crate) fn connections(&self) -> u64 {
        self.of_series(r#"connections{http_version="1.1"}"#)
    }

    /// How connections ended: initiator, cause, code, and how many.
    pub(crate) fn ends(&self) -> Vec<String> {
        let mine = self
            .0
            .iter()
            .filter_map(|(series, count)| Some((series.strip_prefix("connections_closed_total")?, count)));
        let word = |label: &str| label.split('"').nth(1).unwrap_or_default().to_owned();
        mine.map(|(labels, count)| {
            let words: Vec<_> = labels.split(',').map(word).collect();
            format!("{} {count}", words.join(" "))
        })
        .collect()
    }

    pub(crate) fn heartbeat_timeouts(&self) -> u64 {
        self.of_series("heartbeat_timeouts_total")
    }

    /// How many pings of heartbeats were answered.
    pub(crate) fn rtts(&self) -> u64 {
        self.of_series("ping_rtt_seconds_count")
    }

    /// How many connections do well, not so well, and badly.
    pub(crate) fn qualities(&self) -> [u64; 3] {
        ["good", "degraded", "bad"].map(|quality| self.of_series(&format!(r#"connection_quality{{quality="{quality}"}}"#)))
    }

    /// All that was attempted was flushed, dropped, or waits.
    #[track_caller]
    pub(crate) fn assert_adds_up(&self) {
        let parts = [self.flushed(), self.all_dropped(), self.queued(), self.buffered()];
        let sum = parts.iter().fold((0_u64, 0_u64), |sum, part| {
            let add = |a: u64, b: u64| {
                a.checked_add(b)
                    .unwrap_or_else(|| panic!("more than there can be: {self:#?}"))
            };
            (add(sum.0, part.0), add(sum.1, part.1))
        });
        assert_eq!(sum, self.attempted(), "{self:#?}");
        assert_eq!(self.sizes("received"), self.all_received(), "{self:#?}");
        // What an outbox dropped or still has was not given to the socket.
        let (attempted, given, queued) = (self.attempted(), self.sizes("sent"), self.queued());
        assert!(
            given.0 + queued.0 <= attempted.0 && given.1 + queued.1 <= attempted.1,
            "{self:#?}"
        );
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().filter(|(_, value)| **value > 0)).finish()
    }
}
