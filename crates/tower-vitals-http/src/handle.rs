use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    Principal,
    principal::{Part, Who},
    records::Records,
    slot::{self, Left, Owner, RawPrincipal},
};

/// A handle to a request that is being served, for code that runs elsewhere: in a spawned task, or while the response's body is made.
///
/// A layer that was built with [`slot_in_extensions`](crate::MetricsLayerBuilder::slot_in_extensions) puts one into the extensions of each
/// request; with the feature `axum` it is also an extractor, which never refuses. Without such a layer it belongs to no request, and
/// nothing happens. Where layers of several [`Vitals`](tower_vitals_core::Vitals) put one there, it reaches the request of each.
///
/// # Example
/// ```
/// use tower_vitals_http::{AuthType, Principal, RequestSlot};
///
/// fn verified(slot: &RequestSlot, user: &str) {
///     slot.record(Principal::new(AuthType::Session).user(user));
/// }
/// ```
///
/// # Clone
/// Clones are cheap and reach the same request.
///
/// # Cost
/// An allocation for each request of such a layer, and a lock of its own for each call.
#[derive(Clone, Default)]
pub struct RequestSlot {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    records: Arc<Records>,
    /// None when the request has ended.
    told: Mutex<Option<Told>>,
    /// The slot that a layer of another Vitals further out gave, which is told the same.
    around: RequestSlot,
}

/// What a handle was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) route: Option<Cow<'static, str>>,
    pub(crate) labels: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) who: Who,
}

impl Told {
    fn take(&mut self, left: &Left) {
        self.route = left.route.clone().or(self.route.take());
        for (name, value) in &left.labels {
            self.set_label(name, value.clone());
        }
    }

    fn set_label(&mut self, name: &'static str, value: Cow<'static, str>) {
        slot::set_label(&mut self.labels, name, value);
    }
}

impl RequestSlot {
    pub(crate) fn new(records: &Arc<Records>, around: Option<Self>) -> Self {
        Self {
            inner: Some(Arc::new(Inner {
                records: Arc::clone(records),
                told: Mutex::new(Some(Told::default())),
                around: around.unwrap_or_default(),
            })),
        }
    }

    /// As [`Principal::record`], for this request, and at once. Returns whether it was still there.
    #[allow(clippy::must_use_candidate)] // what has ended needs no principal
    pub fn record(&self, principal: Principal<'_>) -> bool {
        let mut raw = RawPrincipal::default();
        raw.merge(&principal);
        self.each(|inner| inner.record(&raw))
    }

    /// As [`tag_route`](crate::tag_route), for this request. Returns whether it was still there.
    #[allow(clippy::must_use_candidate)] // what has ended needs no tag
    pub fn tag_route(&self, route: impl Into<Cow<'static, str>>) -> bool {
        let route = route.into();
        self.each(|inner| inner.tell(|told| told.route = Some(route.clone())))
    }

    /// As [`tag_label`](crate::tag_label), for this request. Returns whether it was still there.
    #[allow(clippy::must_use_candidate)] // what has ended needs no tag
    pub fn tag_label(&self, name: &'static str, value: impl Into<Cow<'static, str>>) -> bool {
        let value = value.into();
        self.each(|inner| inner.tell(|told| told.set_label(name, value.clone())))
    }

    /// Tells this request and those around it, and says whether any of them was still there.
    fn each(&self, tell: impl Fn(&Inner) -> bool) -> bool {
        let mut was_there = false;
        let mut slot = self;
        while let Some(inner) = &slot.inner {
            was_there |= tell(inner);
            slot = &inner.around;
        }
        was_there
    }

    /// Adds what was recorded in the request's own thread.
    pub(crate) fn merge(&self, said: &RawPrincipal) -> Result<(), Part> {
        let Some(inner) = &self.inner else {
            return Ok(());
        };
        let mut told = inner.told();
        told.as_mut().map_or(Ok(()), |told| told.who.merge(said, &inner.records))
    }

    /// Takes what was left in the request's own thread.
    pub(crate) fn take(&self, left: &Left) {
        if let Some(inner) = &self.inner {
            inner.tell(|told| told.take(left));
        }
    }

    /// The route that it was told so far.
    pub(crate) fn route(&self) -> Option<Cow<'static, str>> {
        self.inner.as_ref()?.told().as_ref()?.route.clone()
    }

    /// The request has ended.
    pub(crate) fn end(&self) -> Told {
        let told = self.inner.as_ref().and_then(|inner| inner.told().take());
        told.unwrap_or_default()
    }
}

impl Inner {
    fn record(&self, raw: &RawPrincipal) -> bool {
        let owner = Owner::server(Arc::as_ptr(&self.records).addr());
        // Who that is is only asked while it matters: it may take room among those who have names.
        let merged = self.told().as_mut().map(|told| {
            // What was recorded before without a handle comes first. If it differs from what is known, that counts when the poll ends.
            slot::with_said_for(owner, |said| {
                let _ = told.who.merge(said, &self.records);
            });
            told.who.merge(raw, &self.records)
        });
        if let Some(Err(part)) = merged {
            self.records.count_conflict(part);
        }
        merged.is_some()
    }

    fn tell(&self, tell: impl FnOnce(&mut Told)) -> bool {
        self.told().as_mut().map(tell).is_some()
    }

    fn told(&self) -> MutexGuard<'_, Option<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RequestSlot {
    /// Says nothing of who makes the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSlot")
            .field("is_of_a_request", &self.inner.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "axum")]
impl<S: Sync> axum::extract::FromRequestParts<S> for RequestSlot {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
