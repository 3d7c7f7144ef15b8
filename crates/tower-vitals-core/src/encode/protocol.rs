use std::fmt;

/// A format of a scrape.
///
/// [`content_type`](Self::content_type) gives what to send with it, [`TEXT`](Self::TEXT) and [`OPEN_METRICS`](Self::OPEN_METRICS) are the
/// two that every Prometheus knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// OpenMetrics text 1.0.0.
    OpenMetrics1(Escaping),
    /// OpenMetrics text 0.0.1, which is the same for everything that we write.
    OpenMetrics0,
    /// Prometheus text 1.0.0, which is 0.0.4 with quoted names allowed.
    Text1(Escaping),
    /// Prometheus text 0.0.4, the form that people read.
    Text0,
}

/// How a scraper asks for names with characters beyond the classic ones. Ours have none, so all schemes come to the same text; the reply
/// names the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Escaping {
    /// None was asked for.
    #[default]
    Unspecified,
    /// `allow-utf-8`
    AllowUtf8,
    /// `underscores`
    Underscores,
    /// `dots`
    Dots,
    /// `values`
    Values,
}

impl Protocol {
    /// Prometheus text 0.0.4.
    pub const TEXT: Self = Self::Text0;

    /// OpenMetrics 1.0.0.
    pub const OPEN_METRICS: Self = Self::OpenMetrics1(Escaping::Unspecified);

    /// Whether this is one of the OpenMetrics formats, whose text ends in `# EOF`.
    #[must_use]
    pub const fn is_open_metrics(self) -> bool {
        matches!(self, Self::OpenMetrics1(_) | Self::OpenMetrics0)
    }

    /// The value of the header `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        macro_rules! escaped {
            ($type:literal, $escaping:expr) => {
                match $escaping {
                    Escaping::Unspecified => $type,
                    Escaping::AllowUtf8 => concat!($type, "; escaping=allow-utf-8"),
                    Escaping::Underscores => concat!($type, "; escaping=underscores"),
                    Escaping::Dots => concat!($type, "; escaping=dots"),
                    Escaping::Values => concat!($type, "; escaping=values"),
                }
            };
        }
        match self {
            Self::OpenMetrics1(escaping) => escaped!("application/openmetrics-text; version=1.0.0; charset=utf-8", escaping),
            Self::OpenMetrics0 => "application/openmetrics-text; version=0.0.1; charset=utf-8",
            Self::Text1(escaping) => escaped!("text/plain; version=1.0.0; charset=utf-8", escaping),
            Self::Text0 => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.content_type())
    }
}
