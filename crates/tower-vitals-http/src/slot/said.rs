//! The principal that was recorded for a request since its scope began.

use std::fmt;

use crate::{AuthType, Principal, principal::Part};

/// A principal before its IDs are hashed. It is gone when the poll is over in which it was recorded.
#[derive(Debug)]
pub(crate) struct RawPrincipal {
    /// None when there is no principal.
    pub(crate) auth_type: Option<AuthType>,
    pub(crate) user: RawId,
    pub(crate) api_key: RawId,
    /// In which parts others differed from it.
    pub(crate) conflicts: Vec<Part>,
    /// Whether there is more than an auth type and a user.
    pub(crate) has_more: bool,
}

/// The text of an ID, for a moment: in place when it is of a usual length. It is overwritten when it goes.
pub(crate) struct RawId {
    len: usize,
    short: [u8; SHORT],
    long: Option<Box<[u8]>>,
}

/// Longer IDs cost an allocation.
const SHORT: usize = 64;

// === impl RawPrincipal ===

impl RawPrincipal {
    pub(crate) const NONE: Self = Self {
        auth_type: None,
        user: RawId::NONE,
        api_key: RawId::NONE,
        conflicts: Vec::new(),
        has_more: false,
    };

    /// Adds what a principal says, if it says nothing else than is known.
    #[inline]
    pub(crate) fn merge(&mut self, said: &Principal<'_>) {
        if self.auth_type.is_none() && said.api_key.is_none() {
            self.auth_type = Some(said.auth_type);
            if let Some(user) = said.user {
                self.user.set(user.as_bytes());
            }
        } else {
            self.merge_another(said);
        }
    }

    #[cold]
    fn merge_another(&mut self, said: &Principal<'_>) {
        let [user, api_key] = [said.user, said.api_key].map(|id| id.unwrap_or_default().as_bytes());
        self.merge_raw(said.auth_type, user, api_key);
    }

    fn merge_raw(&mut self, auth_type: AuthType, user: &[u8], api_key: &[u8]) {
        self.has_more = true;
        let conflict = match self.auth_type {
            Some(known) if known != auth_type => Some(Part::AuthType),
            _ if self.user.differs(user) => Some(Part::User),
            _ if self.api_key.differs(api_key) => Some(Part::ApiKey),
            _ => None,
        };
        match conflict {
            Some(part) => self.conflicts.push(part),
            None => {
                self.auth_type = Some(auth_type);
                self.user.set(user);
                self.api_key.set(api_key);
            }
        }
    }

    /// Takes over what was recorded for a request further in.
    pub(crate) fn take_over(&mut self, inner: &mut Self) {
        if let Some(auth_type) = inner.auth_type {
            self.merge_raw(auth_type, inner.user.as_bytes(), inner.api_key.as_bytes());
        }
        self.conflicts.append(&mut inner.conflicts);
        self.has_more = true;
        inner.clear();
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.auth_type = None;
        self.user.clear();
        if self.has_more {
            self.clear_rest();
        }
    }

    #[cold]
    fn clear_rest(&mut self) {
        self.has_more = false;
        self.api_key.clear();
        self.conflicts.clear();
    }
}

impl Default for RawPrincipal {
    fn default() -> Self {
        Self::NONE
    }
}

// === impl RawId ===

impl RawId {
    const NONE: Self = Self {
        len: 0,
        short: [0; SHORT],
        long: None,
    };

    /// The text; empty when there is none.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self.short.get(..self.len) {
            Some(short) => short,
            None => self.long.as_deref().unwrap_or_default(),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there is one, and `id` is another.
    fn differs(&self, id: &[u8]) -> bool {
        self.len != 0 && !id.is_empty() && self.as_bytes() != id
    }

    /// Takes the text where there was none.
    #[inline]
    fn set(&mut self, id: &[u8]) {
        if self.len != 0 {
            return;
        }
        match self.short.get_mut(..id.len()) {
            Some(short) => short.copy_from_slice(id),
            None => self.long = Some(id.into()),
        }
        self.len = id.len();
    }

    #[inline]
    fn clear(&mut self) {
        if self.len <= SHORT {
            // The whole of it, because its length is known.
            self.short = [0; SHORT];
        } else {
            self.clear_long();
        }
        self.len = 0;
    }

    #[cold]
    fn clear_long(&mut self) {
        if let Some(mut long) = self.long.take() {
            long.fill(0);
        }
    }
}

impl Drop for RawId {
    fn drop(&mut self) {
        self.clear();
    }
}

impl fmt::Debug for RawId {
    /// Without the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawId")
            .field("is_set", &!self.is_empty())
            .finish_non_exhaustive()
    }
}
