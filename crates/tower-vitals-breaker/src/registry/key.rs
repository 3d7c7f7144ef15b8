//! Keys of requests, for a [layer with keyed breakers](crate::KeyedBreakers::by).

use std::borrow::Cow;

use http::{Request, uri::Authority};

/// The host that a request's URI names, in lower case; none where it names none, as in most requests that a server gets.
///
/// # Example
/// ```
/// use tower_vitals_breaker::key;
///
/// let request = http::Request::get("https://user@EU.example.com:8443/orders").body(()).unwrap();
/// assert_eq!(key::host(&request).as_deref(), Some("eu.example.com"));
/// assert_eq!(key::authority(&request).as_deref(), Some("eu.example.com:8443"));
/// ```
#[must_use]
pub fn host<B>(request: &Request<B>) -> Option<Cow<'_, str>> {
    request.uri().host().map(lower)
}

/// The host and, where the URI has one, the port that a request's URI names, in lower case. A user that the URI names is left out.
#[must_use]
pub fn authority<B>(request: &Request<B>) -> Option<Cow<'_, str>> {
    request.uri().authority().map(without_user).map(lower)
}

/// The text of an extension of this type, if the request has it.
///
/// # Example
/// ```
/// use tower_vitals_breaker::key;
///
/// #[derive(Clone)]
/// struct Tenant(String);
///
/// impl AsRef<str> for Tenant {
///     fn as_ref(&self) -> &str {
///         &self.0
///     }
/// }
///
/// let request = http::Request::builder().extension(Tenant("acme".into())).body(()).unwrap();
/// assert_eq!(key::extension::<Tenant, _>(&request).as_deref(), Some("acme"));
/// ```
#[must_use]
pub fn extension<T: AsRef<str> + Clone + Send + Sync + 'static, B>(request: &Request<B>) -> Option<Cow<'_, str>> {
    request.extensions().get::<T>().map(|value| value.as_ref().into())
}

fn without_user(authority: &Authority) -> &str {
    let text = authority.as_str();
    text.rsplit_once('@').map_or(text, |(_, rest)| rest)
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}
