//! The types of families in OpenMetrics, and what becomes of them in text 0.0.4.

/// The type of a family, as a `# TYPE` line of OpenMetrics has it. prometheus-client writes five of them today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Counter,
    Gauge,
    GaugeHistogram,
    Histogram,
    Info,
    StateSet,
    Summary,
    Unknown,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Counter,
        Self::Gauge,
        Self::GaugeHistogram,
        Self::Histogram,
        Self::Info,
        Self::StateSet,
        Self::Summary,
        Self::Unknown,
    ];

    /// The type that a word stands for.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The word for it in OpenMetrics.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Histogram => "histogram",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Summary => "summary",
            Self::Unknown => "unknown",
        }
    }

    /// The word for the nearest type of text 0.0.4.
    pub(super) const fn text_word(self) -> &'static str {
        match self {
            Self::Info | Self::StateSet => "gauge",
            // A gauge's buckets may fall, which no type of 0.0.4 allows a histogram.
            Self::GaugeHistogram | Self::Unknown => "untyped",
            Self::Counter | Self::Gauge | Self::Histogram | Self::Summary => self.word(),
        }
    }

    /// What text 0.0.4 adds to the family's name, because it calls a family as its samples are called.
    pub(super) const fn text_suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::GaugeHistogram | Self::Histogram | Self::StateSet | Self::Summary | Self::Unknown => "",
        }
    }

    /// What the names of samples, and of the family itself, add to the family's name.
    pub(super) const fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["", "_created", "_total"],
            Self::Gauge | Self::StateSet => &[""],
            Self::GaugeHistogram => &["", "_bucket", "_gcount", "_gsum"],
            Self::Histogram => &["", "_bucket", "_count", "_created", "_sum"],
            Self::Info => &["", "_info"],
            Self::Summary => &["", "_count", "_created", "_sum"],
            // An instrument of the application's own has this type unless it says another, and any samples.
            Self::Unknown => &[
                "", "_bucket", "_count", "_created", "_gcount", "_gsum", "_info", "_sum", "_total",
            ],
        }
    }
}
