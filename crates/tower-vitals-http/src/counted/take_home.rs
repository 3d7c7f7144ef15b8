//! What code further in left for a request.

use std::{borrow::Cow, mem, sync::Arc};

use tower_vitals_core::ClosedLabel;

use super::Counted;
use crate::{
    AuthType,
    names::Side,
    principal::{KnownId, Part, Sort, Who},
    records::Records,
    slot::{Left, RawId, RawPrincipal, set_label},
};

impl Counted {
    /// Takes what was left. A request that is sent only takes what concerns its body; the rest is for the one that is served.
    pub(crate) fn take_home(&mut self, left: &mut Left) {
        if let Some(received) = left.received.clone() {
            self.extra().received.get_or_insert(received);
        }
        if self.endpoint.records.side() == Side::Client {
            return;
        }
        self.has_route |= left.route.is_some();
        // What was told in both ways is in one place, and the last counts.
        if let Some(handle) = self.extra.as_ref().and_then(|extra| extra.handle.as_ref()) {
            return handle.take(left);
        }
        if let Some(route) = left.route.clone() {
            self.take_tag(route);
        }
        for (name, value) in &left.labels {
            set_label(&mut self.extra().labels, name, value.clone());
        }
    }

    /// Takes the principal that was recorded. One that is recorded while a request is sent is for the one that is served.
    #[inline]
    pub(crate) fn take_principal(&mut self, said: &RawPrincipal) {
        match said.auth_type {
            Some(auth_type) if self.special == 0 && !said.has_more => self.take_user(auth_type, &said.user),
            _ => self.take_another(said),
        }
    }

    /// Takes a route that code further in gave in place of the one that is known, and what the rules say of it.
    pub(super) fn take_tag(&mut self, route: Cow<'static, str>) {
        let ruled = self.endpoint.ruling(&route).ruled();
        let extra = self.extra();
        extra.ruled = ruled;
        extra.tag = Some(route);
    }

    /// Takes the first principal of a request, and the most frequent one: a user, or nobody.
    #[inline]
    fn take_user(&mut self, auth_type: AuthType, user: &RawId) {
        let records = &*self.endpoint.records;
        self.kind = self.kind.with_auth_type(records.vocabulary.auth_types.number(auth_type));
        self.special = Self::HAS_PRINCIPAL;
        if let Some(ids) = records.ids.get().filter(|_| !user.is_empty()) {
            self.id = Some(ids.users.find(user.as_bytes()));
        }
    }

    #[cold]
    fn take_another(&mut self, said: &RawPrincipal) {
        let records = &*self.endpoint.records;
        if records.side() == Side::Client {
            return;
        }
        for part in &said.conflicts {
            records.count_conflict(*part);
        }
        let merged = match self.extra.as_ref().and_then(|extra| extra.handle.as_ref()) {
            Some(handle) => handle.merge(said),
            None => self.merge(said),
        };
        if let Err(part) = merged {
            self.endpoint.records.count_conflict(part);
        }
    }

    /// Adds what is known of who makes the request.
    fn merge(&mut self, said: &RawPrincipal) -> Result<(), Part> {
        let auth_type = u8::try_from(self.kind.auth_type()).ok();
        let mut known = Who {
            auth_type: auth_type.filter(|_| self.special & Self::HAS_PRINCIPAL != 0),
            user: self.user().cloned(),
            api_key: self.api_key().cloned(),
        };
        let merged = known.merge(said, &self.endpoint.records);
        self.set_who(known);
        merged
    }

    fn set_who(&mut self, who: Who) {
        let Who {
            auth_type,
            user,
            api_key,
        } = who;
        if let Some(auth_type) = auth_type {
            self.kind = self.kind.with_auth_type(auth_type);
            self.special |= Self::HAS_PRINCIPAL;
        }
        match (user, api_key) {
            (Some(user), Some(api_key)) => {
                self.id = Some(user);
                self.extra().api_key = Some(api_key);
            }
            (user, api_key) => self.id = user.or(api_key),
        }
    }

    pub(super) fn user(&self) -> Option<&Arc<KnownId>> {
        self.id.as_ref().filter(|id| id.sort() == Sort::User)
    }

    fn api_key(&self) -> Option<&Arc<KnownId>> {
        let second = self.extra.as_ref().and_then(|extra| extra.api_key.as_ref());
        second.or(self.id.as_ref().filter(|id| id.sort() == Sort::ApiKey))
    }

    /// What the handle was told, before the end.
    pub(super) fn take_from_handle(&mut self) {
        let Some(handle) = self.has_extra().and_then(|extra| extra.handle.take()) else {
            return;
        };
        let told = handle.end();
        if let Some(route) = told.route {
            self.take_tag(route);
        }
        self.extra().labels.extend(told.labels);
        // Everything went to the handle first.
        self.set_who(told.who);
    }

    /// Puts labels that code further in gave into their places.
    pub(super) fn place_labels(&mut self) {
        let vocabulary = &self.endpoint.records.vocabulary;
        let Some(extra) = self.extra.as_mut().and_then(Arc::get_mut) else {
            return;
        };
        for (name, value) in mem::take(&mut extra.labels) {
            if let Some(place) = vocabulary.own.iter().position(|(known, _)| *known == name) {
                extra.set_own(place, crate::vocabulary::kept(&value));
            }
        }
    }
}

impl Records {
    #[cold]
    pub(crate) fn count_conflict(&self, part: Part) {
        if let Some(families) = self.server() {
            families.conflicts.with([part.as_str()]).inc();
        }
    }
}
