use http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use tower_vitals_core::closed_label;

closed_label! {
    /// How a request says who makes it, seen from the shape of its credentials alone. Nothing is verified: this tells which door was
    /// used, not who came in.
    #[non_exhaustive]
    pub enum AuthType {
        /// No credentials.
        None => "none",
        /// `Authorization: Basic`
        Basic => "basic",
        /// `Authorization: Bearer` with a token of three parts, as a JSON web token has them.
        Jwt => "jwt",
        /// `Authorization: Bearer` with any other token.
        Bearer => "bearer",
        /// `X-API-Key`
        ApiKey => "api_key",
        /// `Authorization` with any other scheme.
        Other => "other",
    }
}

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

impl AuthType {
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
