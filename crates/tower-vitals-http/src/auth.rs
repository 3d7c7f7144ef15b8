use http::{HeaderMap, HeaderName, header::AUTHORIZATION};

use crate::kind::MOST_NAMES;

/// How a request says who makes it.
///
/// Without a [`Principal`](crate::Principal) it is told from the shape of the credentials alone, of which nothing is verified: that tells
/// which door was used, not who came in. `Mtls`, `Session` and an application's own types come from a principal only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthType {
    /// `none`: no credentials.
    None,
    /// `basic`: `Authorization: Basic`
    Basic,
    /// `jwt`: `Authorization: Bearer` with a token of three parts, as a JSON web token has them.
    Jwt,
    /// `bearer`: `Authorization: Bearer` with any other token.
    Bearer,
    /// `api_key`: `X-API-Key`
    ApiKey,
    /// `mtls`: a client certificate.
    Mtls,
    /// `session`: a session, such as one that a cookie names.
    Session,
    /// `other`: `Authorization` with any other scheme, and types of an application's own that it did not register.
    Other,
    /// A type of the application's own, which [`auth_types`](crate::MetricsLayerBuilder::auth_types) registers.
    Own(&'static str),
}

/// All auth types of a Vitals, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthTypes {
    names: Vec<&'static str>,
}

/// The types that every application has, as they are numbered.
const STANDARD: [AuthType; 8] = [
    AuthType::None,
    AuthType::Basic,
    AuthType::Jwt,
    AuthType::Bearer,
    AuthType::ApiKey,
    AuthType::Mtls,
    AuthType::Session,
    AuthType::Other,
];

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

// === impl AuthType ===

impl AuthType {
    /// As it stands in the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Jwt => "jwt",
            Self::Bearer => "bearer",
            Self::ApiKey => "api_key",
            Self::Mtls => "mtls",
            Self::Session => "session",
            Self::Other => "other",
            Self::Own(name) => name,
        }
    }

    /// The number of a type that is not the application's own.
    #[inline(always)]
    pub(crate) fn standard_number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Basic => 1,
            Self::Jwt => 2,
            Self::Bearer => 3,
            Self::ApiKey => 4,
            Self::Mtls => 5,
            Self::Session => 6,
            Self::Other | Self::Own(_) => 7,
        }
    }

    /// From the headers `Authorization` and, where that is absent, `X-API-Key`.
    #[inline(always)]
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        // One walk over the few names of a request costs less than two look-ups by hash. A client that sends many pays for them
        // elsewhere, too: every one was parsed.
        let mut found = Self::None;
        for (name, value) in headers {
            if *name == AUTHORIZATION {
                return Self::of_credentials(value.as_bytes());
            }
            if *name == X_API_KEY {
                found = Self::ApiKey;
            }
        }
        found
    }

    fn of_credentials(credentials: &[u8]) -> Self {
        let scheme_end = credentials.iter().position(|byte| *byte == b' ').unwrap_or(credentials.len());
        let (scheme, rest) = credentials.split_at(scheme_end);
        if scheme.eq_ignore_ascii_case(b"bearer") {
            if has_three_parts(rest.trim_ascii()) {
                Self::Jwt
            } else {
                Self::Bearer
            }
        } else if scheme.eq_ignore_ascii_case(b"basic") {
            Self::Basic
        } else {
            Self::Other
        }
    }
}

// === impl AuthTypes ===

impl AuthTypes {
    /// The standard types and these.
    pub(crate) fn with_own(own: &[&'static str]) -> Result<Self, String> {
        let mut types = Self::default();
        for name in own {
            if name.is_empty() || name.len() > 64 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!("auth type {name:?} is not of 1 to 64 visible ASCII characters"));
            }
            if !types.names.contains(name) {
                types.names.push(name);
            }
        }
        if types.names.len() > MOST_NAMES {
            return Err(format!("{} auth types are more than {MOST_NAMES}", types.names.len()));
        }
        Ok(types)
    }

    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The number of a type; that of `other` for one which nobody registered.
    #[inline]
    pub(crate) fn number(&self, auth_type: AuthType) -> u8 {
        match auth_type {
            AuthType::Own(name) => self.number_of_own(name),
            standard => standard.standard_number(),
        }
    }

    #[cold]
    fn number_of_own(&self, name: &str) -> u8 {
        let own = self.names.iter().position(|known| *known == name);
        own.and_then(|number| u8::try_from(number).ok())
            .unwrap_or_else(|| AuthType::Other.standard_number())
    }
}

impl Default for AuthTypes {
    fn default() -> Self {
        Self {
            names: STANDARD.map(AuthType::as_str).to_vec(),
        }
    }
}

/// Whether dots part the token in three, as a JSON web signature's header, payload and signature (which may be empty).
fn has_three_parts(token: &[u8]) -> bool {
    let mut dots = memchr::memchr_iter(b'.', token);
    match (dots.next(), dots.next(), dots.next()) {
        (Some(first), Some(second), None) => first > 0 && second > first + 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_numbers_of_their_names() {
        let types = AuthTypes::with_own(&["saml", "jwt", "saml"]).unwrap();
        for (number, standard) in STANDARD.into_iter().enumerate() {
            assert_eq!(usize::from(standard.standard_number()), number);
            assert_eq!(types.names()[number], standard.as_str());
        }
        assert_eq!(types.names()[8..], ["saml"]);
        assert_eq!(types.number(AuthType::Own("saml")), 8);
        assert_eq!(types.number(AuthType::Own("jwt")), AuthType::Jwt.standard_number());
        assert_eq!(types.number(AuthType::Own("nobody's")), AuthType::Other.standard_number());
        for bad in ["", "a b", "\n", "é"] {
            assert!(AuthTypes::with_own(&[bad]).unwrap_err().contains(&format!("{bad:?}")));
        }
        let many: Vec<&'static str> = (0..57).map(|n| &*format!("own{n}").leak()).collect();
        assert!(AuthTypes::with_own(&many[..56]).is_ok());
        assert!(AuthTypes::with_own(&many).is_err());
    }

    #[test]
    fn credentials_are_told_by_their_shape() {
        for (name, value, expected) in [
            ("authorization", "Basic dXNlcjpwYXNz", AuthType::Basic),
            ("authorization", "basic x", AuthType::Basic),
            ("authorization", "Bearer abc", AuthType::Bearer),
            ("authorization", "bearer a.b.c", AuthType::Jwt),
            ("authorization", "Bearer   a.b.c ", AuthType::Jwt),
            ("authorization", "Bearer a.b.", AuthType::Jwt),
            ("authorization", "Bearer a.b", AuthType::Bearer),
            ("authorization", "Bearer a.b.c.d.e", AuthType::Bearer),
            ("authorization", "Bearer ..", AuthType::Bearer),
            ("authorization", "Bearer", AuthType::Bearer),
            ("authorization", "Digest username=\"x\"", AuthType::Other),
            ("authorization", "", AuthType::Other),
            ("x-api-key", "k", AuthType::ApiKey),
            ("cookie", "a=b", AuthType::None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(AuthType::of(&headers), expected, "{name}: {value}");
        }
        let both = HeaderMap::from_iter([
            ("x-api-key".parse().unwrap(), "k".parse().unwrap()),
            (AUTHORIZATION, "Bearer t".parse().unwrap()),
        ]);
        assert_eq!(AuthType::of(&both), AuthType::Bearer);
    }
}
