//! The slot in which code further in leaves what it knows about a request.
//!
//! A slot lives with its request's future. While that is called or polled, the thread knows whose request it is and takes what is left
//! for it, so reaching the slot costs no allocation and no place in the request's extensions. Where requests are served inside one
//! another (by layers of different [`Vitals`](tower_vitals_core::Vitals)), the outer ones wait on a stack, and what is left for the inner
//! one is passed on to them.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};

/// What is known about a request beyond its head.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Whose request this is: one of them is counted once, however often a layer is passed.
    owner: usize,
    /// Whether the layer found a route itself.
    matched: bool,
    /// The route that was left. In a box, because slots move with their futures and hardly any has one.
    route: Option<Left>,
}

/// Makes a request the thread's current one for as long as it lives.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    slot: &'a mut Slot,
    outer: Current,
}

/// The request that the thread serves.
#[derive(Clone, Copy, Debug)]
struct Current {
    /// Zero when there is none.
    owner: usize,
    has_route: bool,
    /// Whether `LEFT` is for this request.
    was_left: bool,
}

type Left = Box<Cow<'static, str>>;

const NOBODY: Current = Current {
    owner: 0,
    has_route: false,
    was_left: false,
};

thread_local! {
    static CURRENT: Cell<Current> = const { Cell::new(NOBODY) };
    /// The route that was left for the current request since its scope began.
    static LEFT: Cell<Option<Left>> = const { Cell::new(None) };
    /// The requests around the current one, innermost last, and the routes that were left for them meanwhile.
    static OUTER: RefCell<Vec<(Current, Option<Left>)>> = const { RefCell::new(Vec::new()) };
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
    let current = CURRENT.get();
    if current.owner == 0 {
        return false;
    }
    leave(current, route.into());
    true
}

/// Whether a request of this owner is being served already. If it has no route yet, it takes this one.
pub(crate) fn is_counted(owner: usize, route: impl FnOnce() -> Option<String>) -> bool {
    let current = CURRENT.get();
    if current.owner == 0 {
        return false;
    }
    let Some(has_route) = has_route(current, owner) else {
        return false;
    };
    if !has_route {
        // The route is told by the application's code, which may look here itself: nothing is borrowed meanwhile.
        if let Some(route) = route() {
            leave_for(owner, route.into());
        }
    }
    true
}

/// Whether the request of this owner, the current one or one around it, has a route; nothing if there is no such request.
fn has_route(current: Current, owner: usize) -> Option<bool> {
    if current.owner == owner {
        return Some(current.has_route);
    }
    with_outer(|outer| {
        outer
            .iter()
            .find(|(outer, _)| outer.owner == owner)
            .map(|(outer, _)| outer.has_route)
    })
    .flatten()
}

fn leave_for(owner: usize, route: Cow<'static, str>) {
    let current = CURRENT.get();
    if current.owner == owner {
        leave(current, route);
        return;
    }
    with_outer(|outer| {
        if let Some((outer, left)) = outer.iter_mut().find(|(outer, _)| outer.owner == owner) {
            outer.has_route = true;
            *left = Some(Box::new(route));
        }
    });
}

fn leave(current: Current, route: Cow<'static, str>) {
    // In a thread whose locals are gone already nothing can be left.
    let was_left = LEFT.try_with(|left| left.set(Some(Box::new(route)))).is_ok();
    CURRENT.set(Current {
        has_route: true,
        was_left,
        ..current
    });
}

fn with_outer<R>(f: impl FnOnce(&mut Vec<(Current, Option<Left>)>) -> R) -> Option<R> {
    let with = |outer: &RefCell<Vec<(Current, Option<Left>)>>| outer.try_borrow_mut().ok().map(|mut outer| f(&mut outer));
    OUTER.try_with(with).ok().flatten()
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

    /// Makes this request the current one until the scope is dropped, on unwinding too.
    #[inline]
    pub(crate) fn enter(&mut self) -> Scope<'_> {
        let outer = CURRENT.replace(Current {
            owner: self.owner,
            has_route: self.matched || self.route.is_some(),
            was_left: false,
        });
        if outer.owner != 0 {
            push_outer(outer);
        }
        Scope { slot: self, outer }
    }
}

impl Drop for Scope<'_> {
    #[inline]
    fn drop(&mut self) {
        let current = CURRENT.replace(self.outer);
        if current.was_left {
            self.slot.route = LEFT.try_with(Cell::take).ok().flatten();
        }
        if self.outer.owner != 0 {
            self.return_to_outer(current);
        }
    }
}

impl Scope<'_> {
    #[cold]
    fn return_to_outer(&self, current: Current) {
        let left_for_outer = with_outer(Vec::pop).flatten().and_then(|(_, left)| left);
        let left_for_all = self.slot.route.as_ref().filter(|_| current.was_left);
        if let Some(route) = left_for_all.or(left_for_outer.as_ref()) {
            leave(self.outer, Cow::clone(route));
        }
    }
}

#[cold]
fn push_outer(outer: Current) {
    with_outer(|stack| stack.push((outer, None)));
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
        drop((_inner, _outer));
        assert_eq!((inner.take_route(), outer.take_route().as_deref()), (None, Some("/late")));
    }

    #[test]
    fn what_is_left_for_the_inner_request_is_passed_on() {
        let (mut outer, mut inner) = (Slot::new(1), Slot::new(2));
        {
            let _outer = outer.enter();
            tag_route("/early");
            {
                let _inner = inner.enter();
            }
            assert!(inner.take_route().is_none(), "it was left before");
            {
                let _inner = inner.enter();
                tag_route("/a");
            }
        }
        assert_eq!(inner.take_route().as_deref(), Some("/a"));
        assert_eq!(outer.take_route().as_deref(), Some("/a"));
        assert!(!tag_route("/outside"));
    }
}
