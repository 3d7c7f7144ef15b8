//! The families of the request layer, and the series of each route ready to record into.
//!
//! What is recorded together lies together: a route keeps, for each combination of method, status, auth type and outcome that it has
//! seen, the handles of the counter and the histogram. One request looks up one record, by one number.

mod families;
mod observe;
mod route;

use std::{
    hash::BuildHasher,
    sync::{Arc, OnceLock},
};

use foldhash::fast::RandomState;
use tower_vitals_core::{
    Clock, Handle, InFlight, OTHER, RegisterError, Vitals, label_value,
    table::{Entry, Table},
};

pub(crate) use self::{
    families::{Columns, Families, ServerFamilies},
    route::Route,
};
use crate::{
    UNMATCHED,
    kind::{HttpVersion, Kind, Scheme},
    names::{Column, Side},
    principal::Ids,
    vocabulary::{Said, Vocabulary},
};

/// The request metrics of one side of a Vitals. All its layers share them.
#[derive(Debug)]
#[repr(align(16))] // which leaves room for flags in its address
pub(crate) struct Records {
    pub(crate) clock: Clock,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) families: Families,
    /// By method and, where the names tell schemes apart, scheme; none where they tell targets apart.
    in_flight: Vec<Handle<InFlight>>,
    routes: Table<Route>,
    hasher: RandomState,
    pub(crate) unmatched: Arc<Route>,
    pub(crate) other: Arc<Route>,
    /// Who made the requests, where an application chose how their IDs are hashed.
    pub(crate) ids: OnceLock<Ids>,
    /// Whether the counter of requests has labels that a kind does not tell.
    pub(crate) is_rich: bool,
}

impl Records {
    pub(crate) fn register(vitals: &Vitals, vocabulary: Vocabulary) -> Result<Self, RegisterError> {
        let families = Families::register(vitals, &vocabulary)?;
        let records = Self {
            clock: vitals.clock().clone(),
            in_flight: Vec::new(),
            routes: Table::new(),
            hasher: RandomState::default(),
            // They are not among the others, so their number does not matter.
            unmatched: Arc::new(Route::new(UNMATCHED, 0)),
            other: Arc::new(Route::new(OTHER, 0)),
            ids: OnceLock::new(),
            is_rich: vocabulary.users_on_requests.is_some() || !vocabulary.own.is_empty(),
            families,
            vocabulary,
        };
        records.families.reserve(&records.vocabulary);
        Ok(Self {
            in_flight: records.all_in_flight(),
            ..records
        })
    }

    #[inline]
    pub(crate) fn side(&self) -> Side {
        self.vocabulary.side
    }

    /// Lets go of the IDs that nobody used for long enough.
    pub(crate) fn expire_ids(&self) {
        if let Some(ids) = self.ids.get() {
            ids.expire(self.clock.nanos());
        }
    }

    /// What is known of the server's requests only.
    pub(crate) fn server(&self) -> Option<&ServerFamilies> {
        self.families.server.as_ref()
    }

    fn all_in_flight(&self) -> Vec<Handle<InFlight>> {
        let (family, columns) = &self.families.in_flight;
        if columns.iter().any(|(_, column)| *column == Column::Address) {
            return Vec::new();
        }
        let by_scheme = columns.iter().any(|(_, column)| *column == Column::Scheme);
        let schemes: &[Scheme] = if by_scheme { &Scheme::ALL } else { &Scheme::ALL[..1] };
        let methods = 0..u8::try_from(self.vocabulary.methods.names().len()).unwrap_or(u8::MAX);
        let kinds = schemes.iter().flat_map(|scheme| {
            methods
                .clone()
                .map(|method| Kind::new(method, 0).with_protocol(*scheme, HttpVersion::Unknown))
        });
        let mut handles = Vec::new();
        for kind in kinds {
            let said = Said::of(kind, "");
            handles.push(family.with(&as_strs(&self.vocabulary.values(columns, &said))).hold());
        }
        handles
    }

    /// Counts the start of a request with this number among what is in flight.
    #[inline(always)]
    pub(crate) fn begin<'a>(&self, number: u8, kind: Kind, target: impl FnOnce() -> &'a str) {
        match self.in_flight.get(usize::from(number)) {
            Some(in_flight) => in_flight.begin(),
            None => self.with_in_flight(kind, target(), InFlight::begin),
        }
    }

    /// Counts the end of a request that began with the same.
    #[inline(always)]
    pub(crate) fn end<'a>(&self, number: u8, kind: Kind, target: impl FnOnce() -> &'a str) {
        match self.in_flight.get(usize::from(number)) {
            Some(in_flight) => in_flight.end(),
            None => self.with_in_flight(kind, target(), InFlight::end),
        }
    }

    /// The number of a request's handle among what is in flight: that of its method, where schemes are not told apart.
    pub(crate) fn number_in_flight(&self, kind: Kind) -> u8 {
        // Three schemes of 63 methods at most.
        let number = kind.scheme() * self.vocabulary.methods.names().len() + kind.method();
        u8::try_from(number).unwrap_or(u8::MAX)
    }

    #[cold]
    fn with_in_flight(&self, kind: Kind, target: &str, f: impl FnOnce(&InFlight)) {
        let (family, columns) = &self.families.in_flight;
        let said = Said::of(kind, target);
        f(&family.with(&as_strs(&self.vocabulary.values(columns, &said))));
    }

    /// The route with this text; none when the label's budget has no room for it, which is counted.
    pub(crate) fn route(&self, text: &str) -> Option<Entry<Route>> {
        let text = &*label_value(text);
        let hash = self.hasher.hash_one(text);
        let is = |route: &Route| *route.text() == *text;
        if let Some(known) = self.routes.get(hash, is) {
            return Some(known);
        }
        if !self.families.admit_route(text) {
            return None;
        }
        self.routes
            .get_or_insert(hash, is, usize::MAX, |number| Route::new(text, number))
    }

    /// The route with this number. Routes are never removed.
    pub(crate) fn numbered(&self, number: u32) -> Option<Entry<Route>> {
        self.routes.slot(number as usize)
    }
}

/// What `DynamicFamily` takes.
pub(crate) fn as_strs<'a>(values: &'a [std::borrow::Cow<'_, str>]) -> Vec<&'a str> {
    values.iter().map(AsRef::as_ref).collect()
}
