//! The slot in which code further in leaves what it knows about a request.
//!
//! A slot travels with its request's future and is the thread's current one while that is called or polled, so reaching it costs no
//! allocation and no place in the request's extensions. Where requests are served inside one another (by layers of different
//! [`Vitals`](tower_vitals_core::Vitals)), the slots of the outer ones wait on a stack.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    mem,
};

/// What is known about a request beyond its head.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// Whose request this is: one of them is counted once, however often a layer is passed.
    owner: usize,
    /// Whether the layer found a route itself.
    matched: bool,
    /// In a box, because slots move with their futures and hardly any has one.
    route: Option<Box<Cow<'static, str>>>,
}

/// Makes a slot the current one for as long as it lives.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    home: &'a mut Slot,
    /// Whether another slot waits for this one to leave.
    nested: bool,
}

thread_local! {
    static CURRENT: Cell<Option<Slot>> = const { Cell::new(None) };
    /// The slots around the current one, innermost last.
    static OUTER: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
}

/// Names the route of the request that is being served, for the label `route`.
///
/// Call it from a handler, a fallback or a middleware, while the request's future runs: for services mounted with `nest_service`, for
/// fallbacks that dispatch on their own, or for a layer outside the router. A tag goes before the template of the router, and the last
/// one counts. The text must be a template, not a path; routes beyond the label's budget become `_other`.
///
/// Returns whether there was a request to tag. There is none outside a [`MetricsLayer`](crate::MetricsLayer), in tasks that were
/// spawned, and while a response's body is being made; then nothing happens.
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
    let route = route.into();
    with_current(|current| {
        current.route = Some(Box::new(route.clone()));
        with_outer(|outer| {
            for slot in outer {
                slot.route = Some(Box::new(route.clone()));
            }
        });
    })
    .is_some()
}

/// Whether a request of this owner is being served already. If it has no route yet, it takes this one.
pub(crate) fn is_counted(owner: usize, route: impl FnOnce() -> Option<String>) -> bool {
    let Some(missing) = with_slot_of(owner, |slot| !slot.matched && slot.route.is_none()) else {
        return false;
    };
    if missing {
        // The route is told by the application's code, which may look at the slots itself: nothing is taken meanwhile.
        if let Some(route) = route() {
            with_slot_of(owner, |slot| slot.route = Some(Box::new(route.into())));
        }
    }
    true
}

impl Slot {
    pub(crate) fn new(owner: usize) -> Self {
        Self {
            owner,
            matched: false,
            route: None,
        }
    }

    /// The layer found the route itself.
    pub(crate) fn set_matched(&mut self) {
        self.matched = true;
    }

    /// The route that code further in gave.
    pub(crate) fn take_route(&mut self) -> Option<Cow<'static, str>> {
        self.route.take().map(|route| *route)
    }

    /// Makes this the current slot until the scope is dropped, on unwinding too.
    pub(crate) fn enter(&mut self) -> Scope<'_> {
        // In a thread whose locals are gone already, the slot stays at home.
        let outer = CURRENT
            .try_with(|current| current.replace(Some(mem::take(self))))
            .ok()
            .flatten();
        let nested = outer.is_some();
        if let Some(outer) = outer {
            with_outer(|slots| slots.push(outer));
        }
        Scope { home: self, nested }
    }
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        let outer = if self.nested { with_outer(Vec::pop).flatten() } else { None };
        if let Ok(Some(slot)) = CURRENT.try_with(|current| current.replace(outer)) {
            *self.home = slot;
        }
    }
}

/// Nothing of the application's runs in `f`, so the slot is back before anybody looks.
fn with_current<R>(f: impl FnOnce(&mut Slot) -> R) -> Option<R> {
    let with = |current: &Cell<Option<Slot>>| {
        let mut slot = current.take()?;
        let result = f(&mut slot);
        current.set(Some(slot));
        Some(result)
    };
    CURRENT.try_with(with).ok().flatten()
}

fn with_outer<R>(f: impl FnOnce(&mut Vec<Slot>) -> R) -> Option<R> {
    let with = |outer: &RefCell<Vec<Slot>>| outer.try_borrow_mut().ok().map(|mut outer| f(&mut outer));
    OUTER.try_with(with).ok().flatten()
}

fn with_slot_of<R>(owner: usize, f: impl FnOnce(&mut Slot) -> R) -> Option<R> {
    let is_current = with_current(|current| current.owner == owner)?;
    if is_current {
        return with_current(f);
    }
    with_outer(|outer| outer.iter_mut().find(|slot| slot.owner == owner).map(f)).flatten()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_tag_lands_in_the_slot_of_its_scope() {
        let mut slot = Slot::new(1);
        assert!(!tag_route("/outside"));
        {
            let _scope = slot.enter();
            assert!(tag_route("/a"));
            assert!(tag_route("/b"));
        }
        assert!(!tag_route("/outside"));
        assert_eq!(slot.take_route().as_deref(), Some("/b"));
    }

    #[test]
    fn a_panic_brings_the_slot_home() {
        let mut slot = Slot::new(1);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _scope = slot.enter();
            tag_route("/a");
            std::panic::resume_unwind(Box::new("on purpose"));
        }));
        assert!(unwound.is_err());
        assert_eq!(slot.take_route().as_deref(), Some("/a"));
        assert!(!tag_route("/outside"));
    }

    #[test]
    fn a_request_is_known_to_its_owner_only() {
        let (mut outer, mut inner) = (Slot::new(1), Slot::new(2));
        let _outer = outer.enter();
        let _inner = inner.enter();
        assert!(is_counted(1, || None) && is_counted(2, || None));
        assert!(!is_counted(3, || unreachable!()));
        assert!(is_counted(1, || Some("/late".into())));
        assert!(is_counted(1, || unreachable!("it has a route now")));
    }
}
