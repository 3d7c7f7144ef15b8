//! What the families are called, and which label says what: the metrics' usual names, and those of OpenTelemetry.

mod open_telemetry;
mod prometheus;

/// The names under which requests are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Names {
    /// `http_requests_total`, `http_request_duration_seconds` and their kin: what Prometheus' users expect.
    #[default]
    Prometheus,
    /// OpenTelemetry's semantic conventions for HTTP metrics, as Prometheus is given them: `http_server_request_duration_seconds`
    /// and its kin. There is no counter of requests; the count of the durations is that. Streams and upgrades have no duration: streams are
    /// in `http_stream_duration_seconds`, which keeps its name, and upgrades only in flight.
    ///
    /// Where they want what a client chooses, the values are bounded: `url_scheme` is `http`, `https` or `_OTHER`, and an address is a
    /// name from code.
    OpenTelemetry,
}

/// Which end of a connection counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
}

/// What a label says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Method,
    /// The route, or the target of an outbound request.
    Route,
    Status,
    StatusClass,
    AuthType,
    Outcome,
    Scheme,
    ErrorType,
    Version,
    /// The target's name without its port.
    Address,
    /// The port at the end of the target's name, or else that of the scheme.
    Port,
    /// The hash of the user's ID.
    User,
    /// One of the application's own.
    Own(usize),
}

/// A family: its name, its help, and its labels in order.
#[derive(Debug)]
pub(crate) struct FamilyNames {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) columns: &'static [(&'static str, Column)],
}

/// The families of one side that go by different names.
#[derive(Debug)]
pub(crate) struct Tables {
    /// None where the count of the durations is that of the requests.
    pub(crate) requests: Option<FamilyNames>,
    pub(crate) durations: FamilyNames,
    /// Its labels are known when a request begins.
    pub(crate) in_flight: FamilyNames,
    pub(crate) heads: FamilyNames,
    pub(crate) request_bytes: FamilyNames,
    pub(crate) response_bytes: FamilyNames,
    /// The duration's default bounds, in seconds.
    pub(crate) bounds: &'static [f64],
}

impl Names {
    pub(crate) fn tables(self, side: Side) -> &'static Tables {
        match (self, side) {
            (Self::Prometheus, Side::Server) => &prometheus::SERVER,
            (Self::Prometheus, Side::Client) => &prometheus::CLIENT,
            (Self::OpenTelemetry, Side::Server) => &open_telemetry::SERVER,
            (Self::OpenTelemetry, Side::Client) => &open_telemetry::CLIENT,
        }
    }
}
