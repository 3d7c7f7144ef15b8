use tower_vitals_core::closed_label;

closed_label! {
    /// How well a connection is doing, by thresholds that are the same for all.
    #[derive(PartialOrd, Ord)]
    pub enum Quality {
        /// Nothing is wrong with it.
        Good => "good",
        /// A round trip takes more than 250 ms, something has waited for more than a second to be sent, or a pong did not come.
        Degraded => "degraded",
        /// A round trip takes more than a second, something has waited for more than 10 seconds to be sent, or two pongs in a row did not
        /// come.
        Bad => "bad",
    }
}

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;

impl Quality {
    /// That of a connection whose last round trip took this long, whose oldest message has waited so long to be sent, in nanoseconds, and
    /// which has missed so many pongs in a row.
    pub(crate) fn of(rtt: Option<u64>, unsent: Option<u64>, missed: u32) -> Self {
        let (rtt, unsent) = (rtt.unwrap_or_default(), unsent.unwrap_or_default());
        if rtt > SECOND || unsent > 10 * SECOND || missed > 1 {
            Self::Bad
        } else if rtt > 250 * MILLISECOND || unsent > SECOND || missed > 0 {
            Self::Degraded
        } else {
            Self::Good
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_worst_sign_decides() {
        let ms = |ms: u64| Some(ms * MILLISECOND);
        for (rtt, unsent, missed, quality) in [
            (None, None, 0, Quality::Good),
            (ms(250), ms(1_000), 0, Quality::Good),
            (ms(251), None, 0, Quality::Degraded),
            (None, ms(1_001), 0, Quality::Degraded),
            (ms(1), ms(1), 1, Quality::Degraded),
            (ms(1_001), None, 0, Quality::Bad),
            (None, ms(10_001), 0, Quality::Bad),
            (None, None, 2, Quality::Bad),
        ] {
            assert_eq!(Quality::of(rtt, unsent, missed), quality, "{rtt:?} {unsent:?} {missed}");
        }
    }
}
