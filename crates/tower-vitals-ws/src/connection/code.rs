use tower_vitals_core::closed_label;

closed_label! {
    /// The code that a closing message had, in a bounded set: those of RFC 6455 and its registry each, and the rest by range, because who
    /// is on the other side chooses among 2,000 of them.
    #[non_exhaustive]
    pub enum CodeClass {
        /// The purpose is fulfilled.
        Normal => "1000",
        /// An endpoint goes away, such as a server that stops or a page that is left.
        GoingAway => "1001",
        /// The protocol was broken.
        Protocol => "1002",
        /// The kind of data is not accepted.
        Unsupported => "1003",
        /// Reserved.
        Reserved => "1004",
        /// Data did not fit its kind, such as a text that is not UTF-8.
        InvalidData => "1007",
        /// A policy was broken.
        Policy => "1008",
        /// A message was too big.
        TooBig => "1009",
        /// An extension is missing.
        MandatoryExtension => "1010",
        /// Something unexpected happened.
        InternalError => "1011",
        /// The service restarts.
        ServiceRestart => "1012",
        /// Try again later.
        TryAgainLater => "1013",
        /// A gateway got a bad answer.
        BadGateway => "1014",
        /// For libraries and frameworks: 3000 to 3999.
        Registered => "3xxx",
        /// For applications: 4000 to 4999.
        Application => "4xxx",
        /// A code that may not be.
        Other => "other",
        /// No code, or no closing message.
        None => "none",
    }
}

impl CodeClass {
    /// The class of a code.
    #[must_use]
    pub fn of(code: Option<u16>) -> Self {
        match code {
            None | Some(1005) => Self::None,
            Some(1000) => Self::Normal,
            Some(1001) => Self::GoingAway,
            Some(1002) => Self::Protocol,
            Some(1003) => Self::Unsupported,
            Some(1004) => Self::Reserved,
            Some(1007) => Self::InvalidData,
            Some(1008) => Self::Policy,
            Some(1009) => Self::TooBig,
            Some(1010) => Self::MandatoryExtension,
            Some(1011) => Self::InternalError,
            Some(1012) => Self::ServiceRestart,
            Some(1013) => Self::TryAgainLater,
            Some(1014) => Self::BadGateway,
            Some(3000..=3999) => Self::Registered,
            Some(4000..=4999) => Self::Application,
            Some(_) => Self::Other,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeSet;

    use tower_vitals_core::ClosedLabel;

    use super::*;

    #[test]
    fn all_codes_there_can_be_have_a_bounded_set_of_classes() {
        let classes: BTreeSet<_> = (0..=u16::MAX).map(|code| CodeClass::of(Some(code)).as_str()).collect();
        assert_eq!(classes.len(), CodeClass::VALUES.len());
        assert_eq!(CodeClass::of(Some(4000)).as_str(), "4xxx");
        assert_eq!(CodeClass::of(Some(3999)).as_str(), "3xxx");
        assert_eq!(CodeClass::of(Some(1006)).as_str(), "other", "nobody may send it");
        for code in 1000..=1014 {
            let class = CodeClass::of(Some(code)).as_str();
            assert!(class == code.to_string() || [1005, 1006].contains(&code), "{code}: {class}");
        }
        assert_eq!(CodeClass::of(None), CodeClass::None);
    }
}
