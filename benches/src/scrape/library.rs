use super::{Work, ours};
#[cfg(feature = "rivals")]
use super::{measured, metrics, prometheus, prometheus_client};
use crate::Result;

/// One library and one format that it writes.
pub(crate) struct Library {
    pub(crate) name: &'static str,
    /// Where it comes from.
    pub(crate) package: &'static str,
    pub(super) format: Format,
    /// Makes all series and records into them.
    pub(crate) build: fn(Work) -> Box<dyn Scraped>,
}

/// All series of a library, to be written out.
pub(crate) trait Scraped {
    /// Writes them as the library's users do for each scrape, and gives `out` what there is to send, piece by piece.
    fn encode(&self, out: &mut dyn FnMut(&[u8]));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    #[cfg(feature = "rivals")]
    Protobuf,
}

/// The first one is what the others are compared with.
pub(crate) const LIBRARIES: &[Library] = &[
    ours::TEXT,
    ours::OPEN_METRICS,
    #[cfg(feature = "rivals")]
    prometheus_client::TEXT,
    #[cfg(feature = "rivals")]
    prometheus_client::DROPPED,
    #[cfg(feature = "rivals")]
    prometheus_client::PROTOBUF,
    #[cfg(feature = "rivals")]
    prometheus::TEXT,
    #[cfg(feature = "rivals")]
    metrics::TEXT,
    #[cfg(feature = "rivals")]
    measured::TEXT,
];

impl Library {
    /// The libraries without their further formats.
    pub(crate) fn packages() -> impl Iterator<Item = &'static Self> {
        LIBRARIES
            .chunk_by(|one, next| one.package == next.package)
            .filter_map(<[Self]>::first)
    }

    pub(crate) fn find(name: &str) -> Result<&'static Self> {
        LIBRARIES
            .iter()
            .find(|known| known.name == name)
            .ok_or_else(|| format!("no library {name:?}").into())
    }
}
