//! What is measured.

/// Counters that are found by labels.
pub(super) trait Counters: Send + Sync + Sized + 'static {
    /// The label values of a series, ready to look it up with.
    type Key: Send + Sync + 'static;

    /// No series, and room for any number.
    fn empty() -> Self;

    fn key(number: usize) -> Self::Key;

    /// Looks a series up by its labels, makes it if there is none, and counts one.
    fn record(&self, key: &Self::Key);

    /// So many series, into each of which the calling thread has recorded.
    fn with_series(count: usize) -> Self {
        let counters = Self::empty();
        for number in 0..count {
            counters.record(&Self::key(number));
        }
        counters
    }
}

/// Counters that are scraped.
pub(super) trait Scraped: Counters {
    /// Makes the text of a scrape and shows it, piece by piece where the library gives it so.
    fn scrape(&self, show: &mut dyn FnMut(&[u8]));
}

/// Values for the labels `queue` and `outcome`.
pub(super) fn values(number: usize) -> [String; 2] {
    [format!("queue-{}", number / 2), ["ok", "failed"][number % 2].to_owned()]
}
