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
    current: Current,
    /// The route that was left. In a box, because slots move with their futures and hardly any has one.
    route: Option<Left>,
}

/// Makes a request the thread's current one for as long as it lives.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    slot: &'a mut Slot,
    outer: Current,
}

/// Whose request a thread serves (one request of an owner is counted once, however often a layer is passed), or nobody's.
///
/// The owner is told by an address, which is a multiple of four: the two lowest bits are free for what has to change hands with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Current(usize);

type Left = Box<Cow<'static, str>>;

/// Whether the request has a route.
const HAS_ROUTE: usize = 1;
/// Whether `LEFT` is for this request.
const WAS_LEFT: usize = 2;

thread_local! {
    static CURRENT: Cell<Current> = const { Cell::new(Current::NOBODY) };
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
    if current == Current::NOBODY {
        return false;
    }
    leave(current, route.into());
    true
}

/// Whether a request of this owner is being served already. If it has no route yet, it takes this one.
#[inline(always)]
pub(crate) fn is_counted(owner: usize, route: impl FnOnce() -> Option<String>) -> bool {
    let current = CURRENT.get();
    current != Current::NOBODY && is_counted_within(current, owner, route)
}

fn is_counted_within(current: Current, owner: usize, route: impl FnOnce() -> Option<String>) -> bool {
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
    if current.is_of(owner) {
        return Some(current.is(HAS_ROUTE));
    }
    with_outer(|outer| {
        outer
            .iter()
            .find(|(outer, _)| outer.is_of(owner))
            .map(|(outer, _)| outer.is(HAS_ROUTE))
    })
    .flatten()
}

fn leave_for(owner: usize, route: Cow<'static, str>) {
    let current = CURRENT.get();
    if current.is_of(owner) {
        leave(current, route);
        return;
    }
    with_outer(|outer| {
        if let Some((outer, left)) = outer.iter_mut().find(|(outer, _)| outer.is_of(owner)) {
            outer.set(HAS_ROUTE);
            *left = Some(Box::new(route));
        }
    });
}

fn leave(mut current: Current, route: Cow<'static, str>) {
    // In a thread whose locals are gone already nothing can be left.
    if LEFT.try_with(|left| left.set(Some(Box::new(route)))).is_ok() {
        current.set(WAS_LEFT);
    }
    current.set(HAS_ROUTE);
    CURRENT.set(current);
}

fn with_outer<R>(f: impl FnOnce(&mut Vec<(Current, Option<Left>)>) -> R) -> Option<R> {
    let with = |outer: &RefCell<Vec<(Current, Option<Left>)>>| outer.try_borrow_mut().ok().map(|mut outer| f(&mut outer));
    OUTER.try_with(with).ok().flatten()
}

// === impl Current ===

impl Current {
    const NOBODY: Self = Self(0);

    fn is_of(self, owner: usize) -> bool {
        self.0 & !(HAS_ROUTE | WAS_LEFT) == owner
    }

    #[inline]
    fn is(self, flag: usize) -> bool {
        self.0 & flag != 0
    }

    fn set(&mut self, flag: usize) {
        self.0 |= flag;
    }
}

// === impl Slot ===

impl Slot {
    /// A slot for a request of the owner with this address, which is a multiple of four.
    #[inline]
    pub(crate) fn new(owner: usize) -> Self {
        Self {
            current: Current(owner),
            route: None,
        }
    }

    /// The layer found the route itself.
    #[inline]
    pub(crate) fn set_matched(&mut self) {
        self.current.set(HAS_ROUTE);
    }

    /// The route that code further in gave.
    #[inline]
    pub(crate) fn tag(&self) -> Option<&str> {
        self.route.as_ref().map(|route| &***route)
    }

    /// Makes this request the current one until the scope is dropped, on unwinding too.
    #[inline]
    pub(crate) fn enter(&mut self) -> Scope<'_> {
        let outer = CURRENT.replace(self.current);
        if outer != Current::NOBODY {
            push_outer(outer);
        }
        Scope { slot: self, outer }
    }

    /// Takes home what was left, and passes it on to the request around this one.
    #[cold]
    fn hand_over(&mut self, current: Current, outer: Current) {
        if current.is(WAS_LEFT) {
            self.route = LEFT.try_with(Cell::take).ok().flatten();
            self.set_matched();
        }
        if outer == Current::NOBODY {
            return;
        }
        let left_for_outer = with_outer(Vec::pop).flatten().and_then(|(_, left)| left);
        let left_for_all = self.route.as_ref().filter(|_| current.is(WAS_LEFT));
        if let Some(route) = left_for_all.or(left_for_outer.as_ref()) {
            leave(outer, Cow::clone(route));
        }
    }
}

// === impl Scope ===

impl Drop for Scope<'_> {
    #[inline]
    fn drop(&mut self) {
        let current = CURRENT.replace(self.outer);
        if current.is(WAS_LEFT) || self.outer != Current::NOBODY {
            self.slot.hand_over(current, self.outer);
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
        let mut slot = Slot::new(4);
        assert!(!tag_route("/outside"));
        {
            let _scope = slot.enter();
            assert!(tag_route("/a"));
            assert!(tag_route("/b"));
        }
        assert!(!tag_route("/outside"));
        assert_eq!(slot.tag(), Some("/b"));
    }

    #[test]
    fn a_panic_brings_the_slot_home() {
        let mut slot = Slot::new(4);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _scope = slot.enter();
            tag_route("/a");
            std::panic::resume_unwind(Box::new("on purpose"));
        }));
        assert!(unwound.is_err());
        assert_eq!(slot.tag(), Some("/a"));
        assert!(!tag_route("/outside"));
    }

    #[test]
    fn a_request_is_known_to_its_owner_only() {
        let (mut outer, mut inner) = (Slot::new(4), Slot::new(8));
        let _outer = outer.enter();
        let _inner = inner.enter();
        assert!(is_counted(4, || None) && is_counted(8, || None));
        assert!(!is_counted(12, || unreachable!()));
        assert!(is_counted(4, || Some("/late".into())));
        assert!(is_counted(4, || unreachable!("it has a route now")));
        drop((_inner, _outer));
        assert_eq!((inner.tag(), outer.tag()), (None, Some("/late")));
    }

    #[test]
    fn a_request_that_was_just_tagged_is_still_its_owners() {
        let mut slot = Slot::new(4);
        let _scope = slot.enter();
        tag_route("/a");
        assert!(is_counted(4, || unreachable!("it has a route")));
        assert!(!is_counted(8, || unreachable!()));
    }

    #[test]
    fn what_is_left_for_the_inner_request_is_passed_on() {
        let (mut outer, mut inner) = (Slot::new(4), Slot::new(8));
        {
            let _outer = outer.enter();
            tag_route("/early");
            {
                let _inner = inner.enter();
            }
            assert!(inner.tag().is_none(), "it was left before");
            {
                let _inner = inner.enter();
                tag_route("/a");
            }
        }
        assert_eq!(inner.tag(), Some("/a"));
        assert_eq!(outer.tag(), Some("/a"));
        assert!(!tag_route("/outside"));
    }
}
