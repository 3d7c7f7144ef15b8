use http::Method;
use tower_vitals_core::closed_label;

closed_label! {
    /// The methods that the label `method` tells apart: those of RFC 9110, `PATCH` (RFC 5789) and `QUERY`, as OpenTelemetry's
    /// conventions list them. A client may send any other word; all of them are `_OTHER`.
    pub(crate) enum KnownMethod {
        Get => "GET",
        Head => "HEAD",
        Post => "POST",
        Put => "PUT",
        Delete => "DELETE",
        Connect => "CONNECT",
        Options => "OPTIONS",
        Trace => "TRACE",
        Patch => "PATCH",
        Query => "QUERY",
        Other => "_OTHER",
    }
}

impl KnownMethod {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 11] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Delete,
        Self::Connect,
        Self::Options,
        Self::Trace,
        Self::Patch,
        Self::Query,
        Self::Other,
    ];

    #[inline]
    pub(crate) fn of(method: &Method) -> Self {
        // By far the most frequent, so it is spared a jump through a table.
        if *method == Method::GET {
            Self::Get
        } else {
            Self::of_another(method)
        }
    }

    #[inline(never)]
    fn of_another(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::DELETE => Self::Delete,
            Method::CONNECT => Self::Connect,
            Method::OPTIONS => Self::Options,
            Method::TRACE => Self::Trace,
            Method::PATCH => Self::Patch,
            _ if method.as_str() == "QUERY" => Self::Query,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use tower_vitals_core::ClosedLabel;

    use super::*;

    #[test]
    fn known_methods_have_their_own_value() {
        for (number, known) in KnownMethod::ALL.into_iter().enumerate() {
            assert_eq!(known as usize, number);
            assert_eq!(KnownMethod::VALUES[number], known.as_str());
            if known != KnownMethod::Other {
                assert_eq!(KnownMethod::of(&known.as_str().parse().unwrap()), known);
            }
        }
        for strange in ["get", "FOOBAR", "_OTHER", "PROPFIND"] {
            assert_eq!(KnownMethod::of(&strange.parse().unwrap()), KnownMethod::Other);
        }
    }
}
