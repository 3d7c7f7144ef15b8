use std::fmt;

use crate::{AuthType, slot};

/// Who makes a request: how it was found out, and the IDs of the user and of the API key.
///
/// Authentication middleware, or a handler further in, records it once it has *verified* who that is. An ID belongs in here only then: what
/// an unverified token says is the client's word.
///
/// # Example
/// ```
/// use tower_vitals_http::{AuthType, Principal};
///
/// # struct Claims { sub: String }
/// fn authenticated(claims: &Claims) {
///     Principal::new(AuthType::Jwt).user(&claims.sub).record();
/// }
/// ```
#[derive(Clone, Copy)]
#[must_use = "a principal is counted when it is recorded"]
pub struct Principal<'a> {
    pub(crate) auth_type: AuthType,
    pub(crate) user: Option<&'a str>,
    pub(crate) api_key: Option<&'a str>,
}

impl<'a> Principal<'a> {
    /// A principal of whom it is known how it was authenticated. The type takes the place of the one that the credentials' shape suggests.
    pub fn new(auth_type: AuthType) -> Self {
        Self {
            auth_type,
            user: None,
            api_key: None,
        }
    }

    /// The ID of the user.
    pub fn user(mut self, id: &'a str) -> Self {
        self.user = Some(id);
        self
    }

    /// The ID of the API key: the key's name or number, never the key itself.
    pub fn api_key(mut self, id: &'a str) -> Self {
        self.api_key = Some(id);
        self
    }

    /// Records the principal of the request that is being served, and says whether there is one.
    ///
    /// Call it while the request's future runs: in middleware inside of the layer, or in the handler. There is no request outside of a
    /// [`MetricsLayer`](crate::MetricsLayer), in spawned tasks and while a response's body is being made; then nothing happens. A
    /// [`RequestSlot`](crate::RequestSlot) reaches the request from there. What a handler polls itself, such as a `LocalSet`, is part of its
    /// request.
    ///
    /// The first to say something is believed, part by part (auth type, user, API key): what comes later adds what was not known. A part
    /// that differs from what is known is left out and counted in `http_principal_conflicts_total`. What was recorded counts however the
    /// request ends, also when it is cancelled, panics or is answered on the way.
    ///
    /// IDs are counted where the layer was given [`PrincipalIds`](crate::PrincipalIds); without, only the auth type is, and only that is
    /// compared.
    ///
    /// # Cost
    /// For an ID that is known: a keyed hash of it and a look-up, which is shorter when the thread met the ID lately; no lock, no
    /// allocation, no SHA-256. The text is gone when the request's
    /// future returns from being polled.
    #[allow(clippy::must_use_candidate)] // outside of a request there is nothing to do
    pub fn record(self) -> bool {
        slot::leave_principal(&self)
    }
}

impl fmt::Debug for Principal<'_> {
    /// Says which IDs there are, but not what they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("auth_type", &self.auth_type)
            .field("user", &self.user.is_some())
            .field("api_key", &self.api_key.is_some())
            .finish()
    }
}
