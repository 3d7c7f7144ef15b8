//! The slot in which code further in leaves what it knows about a request.
//!
//! A slot lives with its request's future. While that is called or polled, the thread knows whose request it is and takes what is left
//! for it, so reaching the slot costs no allocation and no place in the request's extensions. Where requests are served inside one
//! another (by layers of different [`Vitals`](tower_vitals_core::Vitals)), the outer ones wait on a stack, and what is left for the inner
//! one is passed on to them. A request that is being sent waits there, too; what is left meanwhile is for the one that is being served.

mod current;
mod left;
mod said;
mod scope;

use std::{borrow::Cow, sync::Arc};

pub(crate) use self::{
    current::{Owner, is_counted, with_said_for},
    left::{Left, set_label},
    said::{RawId, RawPrincipal},
    scope::Scope,
};
use crate::{Principal, request_body::Received};

/// Names the route of the request that is being served, for the label `route`.
///
/// Call it from a handler, a fallback or a middleware, while the request's future runs: for services mounted with `nest_service`, for
/// fallbacks that dispatch on their own, or for a layer outside the router. A tag goes before the template of the router, and the last
/// one counts. The text must be a template, not a path; routes beyond the label's budget become `_other`.
///
/// Returns whether there was a request to tag. There is none outside a [`MetricsLayer`](crate::MetricsLayer), in tasks that the runtime
/// polls, and while a response's body is being made; then nothing happens. What a handler polls itself, such as a `LocalSet`, is part of
/// its request.
///
/// # Example
/// ```
/// async fn files() -> &'static str {
///     tower_vitals_http::tag_route("/files/{*path}");
///     "…"
/// }
/// ```
#[allow(clippy::must_use_candidate)] // what is outside a request needs no tag
pub fn tag_route(route: impl Into<Cow<'static, str>>) -> bool {
    current::leave(|left| left.route = Some(route.into()))
}

/// Gives the request that is being served a value for a label of the application's own, one that
/// [`slot_label`](crate::MetricsLayerBuilder::slot_label) declared. The last value counts; a label that nobody declared is left out.
///
/// Where it can be called, and what it returns, is as with [`tag_route`].
///
/// # Example
/// ```
/// async fn plan() -> &'static str {
///     tower_vitals_http::tag_label("plan", "gold");
///     "…"
/// }
/// ```
#[allow(clippy::must_use_candidate)] // what is outside a request needs no tag
pub fn tag_label(name: &'static str, value: impl Into<Cow<'static, str>>) -> bool {
    current::leave(|left| left.set_label(name, value.into()))
}

/// Leaves a principal for the request that is being served, and says whether there is one.
pub(crate) fn leave_principal(principal: &Principal<'_>) -> bool {
    current::say(principal)
}

/// Leaves what sees the request's body for the request that is being served or sent, and says whether there is one.
pub(crate) fn leave_received(received: &Arc<Received>) -> bool {
    current::leave_for_current(|left| left.received = Some(Arc::clone(received)))
}

#[cfg(test)]
mod tests;
