//! The labels of a request, without its route.

use http::{StatusCode, Version};
use tower_vitals_core::closed_label;

use crate::Outcome;

/// What the labels beside the route say, in one number that is quick to compare.
///
/// Methods and auth types are numbered by the [`Vocabulary`](crate::vocabulary::Vocabulary). Scheme and version are set only where the
/// names have labels for them. No status (zero) says that no head was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(u32);

/// The place of a part in the number.
struct Field {
    shift: u32,
    mask: u32,
}

const OUTCOME: Field = Field::after(None, 3);
const AUTH_TYPE: Field = Field::after(Some(&OUTCOME), 6);
const METHOD: Field = Field::after(Some(&AUTH_TYPE), 6);
const STATUS: Field = Field::after(Some(&METHOD), 10);
const SCHEME: Field = Field::after(Some(&STATUS), 2);
const VERSION: Field = Field::after(Some(&SCHEME), 3);

/// How many methods, or auth types, there may be.
pub(crate) const MOST_NAMES: usize = 64;

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

closed_label! {
    /// The scheme of a request, of which a client may write any.
    pub(crate) enum Scheme {
        Http => "http",
        Https => "https",
        Other => "_OTHER",
    }
}

closed_label! {
    /// The version of HTTP, as OpenTelemetry writes it.
    pub(crate) enum HttpVersion {
        Unknown => "",
        Http09 => "0.9",
        Http10 => "1.0",
        Http11 => "1.1",
        Http2 => "2",
        Http3 => "3",
    }
}

/// The scheme by which a service is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlScheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

// === impl Kind ===

impl Kind {
    /// Of the method with this number.
    #[inline]
    pub(crate) fn new(method: u8, auth_type: u8) -> Self {
        Self(METHOD.put(u32::from(method)) | AUTH_TYPE.put(u32::from(auth_type)))
    }

    /// With a status, where there was none.
    #[inline]
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self(self.0 | STATUS.put(u32::from(status.as_u16())))
    }

    /// With an outcome, where there was none.
    #[inline]
    pub(crate) fn with_outcome(self, outcome: Outcome) -> Self {
        Self(self.0 | OUTCOME.put(outcome as u32))
    }

    /// With the auth type of this number in place of the one there was.
    #[inline]
    pub(crate) fn with_auth_type(self, auth_type: u8) -> Self {
        Self(self.0 & !AUTH_TYPE.put(AUTH_TYPE.mask) | AUTH_TYPE.put(u32::from(auth_type)))
    }

    /// With scheme and version, where there were none.
    pub(crate) fn with_protocol(self, scheme: Scheme, version: HttpVersion) -> Self {
        Self(self.0 | SCHEME.put(scheme as u32) | VERSION.put(version as u32))
    }

    /// With this version in place of the one there was.
    pub(crate) fn with_version(self, version: HttpVersion) -> Self {
        Self(self.0 & !VERSION.put(VERSION.mask) | VERSION.put(version as u32))
    }

    pub(crate) fn method(self) -> usize {
        METHOD.of(self.0)
    }

    pub(crate) fn auth_type(self) -> usize {
        AUTH_TYPE.of(self.0)
    }

    pub(crate) fn outcome(self) -> usize {
        OUTCOME.of(self.0)
    }

    pub(crate) fn scheme(self) -> usize {
        SCHEME.of(self.0)
    }

    pub(crate) fn version(self) -> usize {
        VERSION.of(self.0)
    }

    pub(crate) fn status(self) -> Option<StatusCode> {
        let code = u16::try_from(STATUS.of(self.0)).ok()?;
        StatusCode::from_u16(code).ok()
    }

    pub(crate) fn status_class(self) -> StatusClass {
        match STATUS.of(self.0) {
            0 => StatusClass::None,
            100..200 => StatusClass::Class1,
            200..300 => StatusClass::Class2,
            300..400 => StatusClass::Class3,
            400..500 => StatusClass::Class4,
            500..600 => StatusClass::Class5,
            _ => StatusClass::Other,
        }
    }

    /// The number spread over the upper bits.
    pub(crate) fn hash(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

// === impl Field ===

impl Field {
    const fn after(before: Option<&Self>, bits: u32) -> Self {
        let shift = match before {
            Some(before) => before.shift + before.mask.count_ones(),
            None => 0,
        };
        Self {
            shift,
            mask: (1 << bits) - 1,
        }
    }

    #[inline]
    const fn put(&self, value: u32) -> u32 {
        value << self.shift
    }

    #[inline]
    const fn of(&self, kind: u32) -> usize {
        (kind >> self.shift & self.mask) as usize
    }
}

// === impl Scheme ===

impl Scheme {
    /// All of them, as they are numbered.
    pub(crate) const ALL: [Self; 3] = [Self::Http, Self::Https, Self::Other];

    /// Of a request: as its URI says, if it does.
    pub(crate) fn of(uri: &http::Uri) -> Option<Self> {
        let scheme = uri.scheme()?;
        Some(match scheme {
            _ if *scheme == http::uri::Scheme::HTTP => Self::Http,
            _ if *scheme == http::uri::Scheme::HTTPS => Self::Https,
            _ => Self::Other,
        })
    }
}

impl From<UrlScheme> for Scheme {
    fn from(scheme: UrlScheme) -> Self {
        match scheme {
            UrlScheme::Http => Self::Http,
            UrlScheme::Https => Self::Https,
        }
    }
}

// === impl HttpVersion ===

impl HttpVersion {
    pub(crate) fn of(version: Version) -> Self {
        match version {
            Version::HTTP_09 => Self::Http09,
            Version::HTTP_10 => Self::Http10,
            Version::HTTP_11 => Self::Http11,
            Version::HTTP_2 => Self::Http2,
            Version::HTTP_3 => Self::Http3,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_gives_back_what_went_into_it() {
        let classes = [
            (100, StatusClass::Class1),
            (299, StatusClass::Class2),
            (304, StatusClass::Class3),
            (499, StatusClass::Class4),
            (599, StatusClass::Class5),
            (600, StatusClass::Other),
            (999, StatusClass::Other),
        ];
        let last = u8::try_from(MOST_NAMES - 1).unwrap();
        for (method, auth_type) in [(0, 0), (1, last), (last, 1), (last, last)] {
            for outcome in [Outcome::Completed, Outcome::Aborted, Outcome::Failed, Outcome::Panicked] {
                let kind = Kind::new(method, 0)
                    .with_auth_type(last)
                    .with_auth_type(auth_type)
                    .with_outcome(outcome);
                assert_eq!((kind.status(), kind.status_class()), (None, StatusClass::None));
                for (code, class) in classes {
                    let status = StatusCode::from_u16(code).unwrap();
                    let kind = kind.with_status(status).with_protocol(Scheme::Other, HttpVersion::Http3);
                    assert_eq!((kind.status(), kind.status_class()), (Some(status), class));
                    assert_eq!(kind.method(), usize::from(method));
                    assert_eq!(kind.auth_type(), usize::from(auth_type));
                    assert_eq!(kind.outcome(), outcome as usize);
                    assert_eq!(kind.scheme(), Scheme::Other as usize);
                    assert_eq!(kind.version(), HttpVersion::Http3 as usize);
                }
            }
        }
    }
}
