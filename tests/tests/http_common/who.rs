//! Who made the requests, as the scrape tells it.

use tests::Result;
use tests::until::until_eq;
use tower_vitals::{Vitals, encode::Protocol};

use super::{LIMIT, Numbers, numbers, owned};

/// The first 8 digits of what `sha256sum` says of some names.
#[allow(dead_code, reason = "each test target uses a part")]
pub(crate) mod hashed {
    pub(crate) const ALICE: &str = "2bd806c9";
    pub(crate) const BOB: &str = "81b637d8";
    pub(crate) const CAROL: &str = "4c26d907";
    pub(crate) const GUEST: &str = "84983c60";
    pub(crate) const ADMIN: &str = "8c6976e5";
    pub(crate) const CI: &str = "1b158839";
    pub(crate) const DEPLOY: &str = "b7bd55c1";
}

/// All that a Vitals tells of who made the requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Who {
    /// `http_user_requests_total` by auth type, user and outcome.
    pub(crate) users: Numbers,
    /// `http_api_key_requests_total` by auth type, API key and outcome.
    pub(crate) api_keys: Numbers,
    /// `http_principal_conflicts_total` by part.
    pub(crate) conflicts: Numbers,
}

#[allow(dead_code, reason = "each test target uses a part")]
impl Who {
    pub(crate) fn of(vitals: &Vitals) -> Self {
        let text = vitals.encode_to_string(Protocol::TEXT);
        let by = |name, id| numbers(&text, name, &["auth_type", id, "outcome"]);
        Self {
            users: by("http_user_requests_total", "user"),
            api_keys: by("http_api_key_requests_total", "api_key"),
            conflicts: numbers(&text, "http_principal_conflicts_total", &["part"]),
        }
    }

    /// These users, no API keys, and no conflicts.
    pub(crate) fn users(users: &[(&str, u64)]) -> Self {
        Self {
            users: owned(users),
            ..Self::default()
        }
    }

    pub(crate) fn api_keys(self, api_keys: &[(&str, u64)]) -> Self {
        let api_keys = owned(api_keys);
        Self { api_keys, ..self }
    }

    pub(crate) fn conflicts(self, conflicts: &[(&str, u64)]) -> Self {
        let conflicts = owned(conflicts);
        Self { conflicts, ..self }
    }

    /// Waits until this is all that there is, and sees it twice.
    pub(crate) async fn settles(&self, vitals: &Vitals) -> Result<()> {
        until_eq(LIMIT, self.clone(), || Self::of(vitals)).await?;
        assert_eq!(Self::of(vitals), *self);
        Ok(())
    }
}
