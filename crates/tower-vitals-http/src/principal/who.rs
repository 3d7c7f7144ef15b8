//! What is known of who makes a request, from whatever was recorded.

use std::sync::Arc;

use tower_vitals_core::closed_label;

use super::{Ids, KnownId, known::KnownIds};
use crate::{
    records::Records,
    slot::{RawId, RawPrincipal},
};

closed_label! {
    /// The part in which two principals of one request differ.
    pub(crate) enum Part {
        AuthType => "auth_type",
        User => "user",
        ApiKey => "api_key",
    }
}

/// Who makes a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Who {
    /// The number of the auth type; none when nobody said who it is.
    pub(crate) auth_type: Option<u8>,
    pub(crate) user: Option<Arc<KnownId>>,
    pub(crate) api_key: Option<Arc<KnownId>>,
}

impl Who {
    /// Adds what another principal says, if it says nothing else than is known. Otherwise nothing of it is taken, because parts of two
    /// principals make one that never was; the part in which they differ comes back. Its IDs take no room then.
    pub(crate) fn merge(&mut self, said: &RawPrincipal, records: &Records) -> Result<(), Part> {
        let auth_type = said
            .auth_type
            .map(|auth_type| records.vocabulary.auth_types.number(auth_type));
        if self.auth_type.zip(auth_type).is_some_and(|(known, said)| known != said) {
            return Err(Part::AuthType);
        }
        let ids = records.ids.get();
        if differs(self.user.as_ref(), ids.map(users), &said.user) {
            return Err(Part::User);
        }
        if differs(self.api_key.as_ref(), ids.map(api_keys), &said.api_key) {
            return Err(Part::ApiKey);
        }
        self.auth_type = self.auth_type.or(auth_type);
        self.user = self.user.take().or_else(|| find(ids.map(users), &said.user));
        self.api_key = self.api_key.take().or_else(|| find(ids.map(api_keys), &said.api_key));
        Ok(())
    }
}

fn users(ids: &Ids) -> &KnownIds {
    &ids.users
}

fn api_keys(ids: &Ids) -> &KnownIds {
    &ids.api_keys
}

/// Whether an ID is known and another is said.
fn differs(known: Option<&Arc<KnownId>>, ids: Option<&KnownIds>, said: &RawId) -> bool {
    let differs = |(known, ids): (&Arc<KnownId>, &KnownIds)| !ids.is(known, said.as_bytes());
    !said.is_empty() && known.zip(ids).is_some_and(differs)
}

fn find(ids: Option<&KnownIds>, said: &RawId) -> Option<Arc<KnownId>> {
    ids.filter(|_| !said.is_empty()).map(|ids| ids.find(said.as_bytes()))
}
