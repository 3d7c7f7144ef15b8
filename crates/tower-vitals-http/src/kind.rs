//! The labels of a request, without its route.

use http::StatusCode;
use tower_vitals_core::{ClosedLabel, closed_label};

use crate::{AuthType, Outcome, method::KnownMethod};

/// What the labels beside the route say, in one number that is quick to compare: from the lowest bits on the outcome (4 bits) and the
/// auth type (8) and the method (4) as the variants are numbered, then the status, zero when no head was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(u32);

closed_label! {
    /// The first digit of a status, or nothing when no head was sent.
    pub(crate) enum StatusClass {
        None => "",
        Class1 => "1xx",
        Class2 => "2xx",
        Class3 => "3xx",
        Class4 => "4xx",
        Class5 => "5xx",
        Other => "other",
    }
}

impl Kind {
    #[inline]
    pub(crate) fn new(method: KnownMethod, auth_type: AuthType) -> Self {
        Self((method as u32) << 12 | (auth_type as u32) << 4)
    }

    /// With a status, where there was none.
    #[inline]
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self(self.0 | u32::from(status.as_u16()) << 16)
    }

    /// With an outcome, where there was none.
    #[inline]
    pub(crate) fn with_outcome(self, outcome: Outcome) -> Self {
        Self(self.0 | outcome as u32)
    }

    fn method(self) -> KnownMethod {
        KnownMethod::ALL[(self.0 >> 12 & 0xF) as usize]
    }

    pub(crate) fn status(self) -> Option<StatusCode> {
        let code = u16::try_from(self.0 >> 16).ok()?;
        StatusCode::from_u16(code).ok()
    }

    pub(crate) fn labels<'a>(self, route: &'a str, status: Option<&'a StatusCode>) -> [&'a str; 5] {
        [
            self.method().as_str(),
            route,
            status.map_or("", StatusCode::as_str),
            AuthType::VALUES[(self.0 >> 4 & 0xFF) as usize],
            Outcome::VALUES[(self.0 & 0xF) as usize],
        ]
    }

    pub(crate) fn duration_labels(self, route: &str) -> [&str; 3] {
        let class = match self.0 >> 16 {
            0 => StatusClass::None,
            100..200 => StatusClass::Class1,
            200..300 => StatusClass::Class2,
            300..400 => StatusClass::Class3,
            400..500 => StatusClass::Class4,
            500..600 => StatusClass::Class5,
            _ => StatusClass::Other,
        };
        [self.method().as_str(), route, class.as_str()]
    }

    /// The number spread over the upper bits.
    pub(crate) fn hash(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_gives_back_what_went_into_it() {
        let classes = [
            (100, "1xx"),
            (299, "2xx"),
            (304, "3xx"),
            (499, "4xx"),
            (599, "5xx"),
            (600, "other"),
            (999, "other"),
        ];
        for method in KnownMethod::ALL {
            for auth_type in [AuthType::None, AuthType::Jwt, AuthType::Other] {
                for outcome in [Outcome::Completed, Outcome::Aborted, Outcome::Failed, Outcome::Panicked] {
                    let kind = Kind::new(method, auth_type).with_outcome(outcome);
                    let labels = [method.as_str(), "/", "", auth_type.as_str(), outcome.as_str()];
                    assert_eq!(kind.labels("/", kind.status().as_ref()), labels);
                    assert_eq!(kind.duration_labels("/"), [method.as_str(), "/", ""]);
                    for (code, class) in classes {
                        let status = StatusCode::from_u16(code).unwrap();
                        let kind = kind.with_status(status);
                        assert_eq!(kind.status(), Some(status));
                        assert_eq!(kind.duration_labels("/"), [method.as_str(), "/", class]);
                    }
                }
            }
        }
    }
}
