//! Whose request a thread serves, and what was left for it.

use std::{
    cell::{Cell, RefCell},
    mem,
};

use super::{Left, RawPrincipal};
use crate::Principal;

/// Whose request a thread serves (one request of an owner is counted once, however often a layer is passed), or nobody's.
///
/// The owner is told by an address, which is a multiple of sixteen: the lowest bits are free for what has to change hands with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Current(usize);

/// Who counts a request: those of one side of a Vitals, and what they are sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(usize);

/// A request around the current one.
#[derive(Debug)]
pub(super) struct Outer {
    pub(super) current: Current,
    /// What was left for it before the inner one began. In boxes, because hardly any has something.
    pub(super) left: Option<Box<Left>>,
    pub(super) said: Option<Box<RawPrincipal>>,
}

thread_local! {
    pub(super) static CURRENT: Cell<Current> = const { Cell::new(Current::NOBODY) };
    /// What was left for the current request since its scope began.
    pub(super) static LEFT: RefCell<Left> = RefCell::default();
    /// The principal that was recorded for the current request since its scope began.
    static SAID: RefCell<RawPrincipal> = const { RefCell::new(RawPrincipal::NONE) };
    /// The requests around the current one, innermost last.
    static OUTER: RefCell<Vec<Outer>> = const { RefCell::new(Vec::new()) };
}

/// Leaves something for the request that is being served. Where a request is being sent, that is one around it.
#[inline]
pub(super) fn leave(leave: impl FnOnce(&mut Left)) -> bool {
    let current = CURRENT.get();
    if current == Current::NOBODY || (current.is(Current::CLIENT) && !is_served_around()) {
        return false;
    }
    leave_for_current(leave)
}

/// Records a principal for the request that is being served. Where a request is being sent, that is one around it.
#[inline]
pub(super) fn say(principal: &Principal<'_>) -> bool {
    let mut current = CURRENT.get();
    if current == Current::NOBODY || (current.is(Current::CLIENT) && !is_served_around()) {
        return false;
    }
    if with_said(|said| said.merge(principal)).is_none() {
        return false;
    }
    current.set(Current::WAS_SAID);
    CURRENT.set(current);
    true
}

/// Shows the principal that was recorded for the request of this owner, if it is the current one, since its scope began.
pub(crate) fn with_said_for(owner: Owner, f: impl FnOnce(&RawPrincipal)) {
    let current = CURRENT.get();
    if current.is(Current::WAS_SAID) && current.is_of(owner) {
        with_said(|said| f(said));
    }
}

/// Leaves something for the request that is being served or sent.
pub(super) fn leave_for_current(leave: impl FnOnce(&mut Left)) -> bool {
    let mut current = CURRENT.get();
    if current == Current::NOBODY {
        return false;
    }
    // In a thread whose locals are gone already nothing can be left.
    let has_route = LEFT.try_with(|left| {
        let mut left = left.try_borrow_mut().ok()?;
        leave(&mut left);
        Some(left.route.is_some())
    });
    let Some(has_route) = has_route.ok().flatten() else {
        return false;
    };
    current.set(Current::WAS_LEFT);
    if has_route {
        current.set(Current::HAS_ROUTE);
    }
    CURRENT.set(current);
    true
}

/// Whether a request of this owner is being served already. If it has no route yet, it takes this one.
#[inline(always)]
pub(crate) fn is_counted(owner: impl FnOnce() -> Owner, route: impl FnOnce() -> Option<String>) -> bool {
    let current = CURRENT.get();
    current != Current::NOBODY && is_counted_within(current, owner(), route)
}

fn is_counted_within(current: Current, owner: Owner, route: impl FnOnce() -> Option<String>) -> bool {
    let Some(has_route) = has_route(current, owner) else {
        return false;
    };
    if !has_route {
        // The route is told by the application's code, which may look here itself: nothing is borrowed meanwhile.
        if let Some(route) = route() {
            leave_for(owner, route);
        }
    }
    true
}

/// Whether the request of this owner, the current one or one around it, has a route; nothing if there is no such request.
fn has_route(current: Current, owner: Owner) -> Option<bool> {
    if current.is_of(owner) {
        return Some(current.is(Current::HAS_ROUTE));
    }
    with_outer(|outer| {
        let found = outer.iter().find(|outer| outer.current.is_of(owner));
        found.map(|outer| outer.current.is(Current::HAS_ROUTE))
    })
    .flatten()
}

fn leave_for(owner: Owner, route: String) {
    if CURRENT.get().is_of(owner) {
        leave_for_current(|left| left.route = Some(route.into()));
        return;
    }
    with_outer(|outer| {
        if let Some(outer) = outer.iter_mut().find(|outer| outer.current.is_of(owner)) {
            outer.current.set(Current::HAS_ROUTE);
            outer.current.set(Current::WAS_LEFT);
            outer.left.get_or_insert_default().route = Some(route.into());
        }
    });
}

fn is_served_around() -> bool {
    with_outer(|outer| outer.iter().any(|outer| !outer.current.is(Current::CLIENT))).unwrap_or_default()
}

/// The request of a scope that begins takes the place of this one.
#[cold]
pub(super) fn push_outer(current: Current) {
    let left = if current.is(Current::WAS_LEFT) {
        with_left(|left| Box::new(mem::take(left)))
    } else {
        None
    };
    let said = if current.is(Current::WAS_SAID) {
        with_said(|said| Box::new(mem::take(said)))
    } else {
        None
    };
    with_outer(|stack| stack.push(Outer { current, left, said }));
}

pub(super) fn pop_outer() -> Option<Outer> {
    with_outer(Vec::pop).flatten()
}

pub(super) fn with_left<R>(f: impl FnOnce(&mut Left) -> R) -> Option<R> {
    let with = |left: &RefCell<Left>| left.try_borrow_mut().ok().map(|mut left| f(&mut left));
    LEFT.try_with(with).ok().flatten()
}

#[inline]
pub(super) fn with_said<R>(f: impl FnOnce(&mut RawPrincipal) -> R) -> Option<R> {
    let with = |said: &RefCell<RawPrincipal>| said.try_borrow_mut().ok().map(|mut said| f(&mut said));
    SAID.try_with(with).ok().flatten()
}

fn with_outer<R>(f: impl FnOnce(&mut Vec<Outer>) -> R) -> Option<R> {
    let with = |outer: &RefCell<Vec<Outer>>| outer.try_borrow_mut().ok().map(|mut outer| f(&mut outer));
    OUTER.try_with(with).ok().flatten()
}

// === impl Current ===

impl Current {
    pub(super) const NOBODY: Self = Self(0);
    /// Whether the request has a route.
    pub(super) const HAS_ROUTE: usize = 1;
    /// Whether something was left for it.
    pub(super) const WAS_LEFT: usize = 2;
    /// Whether it is being sent, not served.
    pub(super) const CLIENT: usize = 4;
    /// Whether a principal was recorded for it.
    pub(super) const WAS_SAID: usize = 8;

    const FLAGS: usize = Self::HAS_ROUTE | Self::WAS_LEFT | Self::CLIENT | Self::WAS_SAID;

    #[inline]
    pub(super) fn of(owner: Owner, has_route: bool) -> Self {
        Self(owner.0 | usize::from(has_route))
    }

    fn is_of(self, owner: Owner) -> bool {
        self.0 & !Self::FLAGS == owner.0 & !Self::FLAGS
    }

    #[inline]
    pub(super) fn is(self, flag: usize) -> bool {
        self.0 & flag != 0
    }

    /// Without a note of what was left.
    pub(super) fn clear(&mut self) {
        self.0 &= !(Self::WAS_LEFT | Self::WAS_SAID);
    }

    pub(super) fn set(&mut self, flag: usize) {
        self.0 |= flag;
    }
}

// === impl Owner ===

impl Owner {
    /// The owner of requests that are served, with an address that is a multiple of sixteen.
    #[inline]
    pub(crate) fn server(address: usize) -> Self {
        Self(address)
    }

    /// The owner of requests that are sent.
    pub(crate) fn client(address: usize) -> Self {
        Self(address | Current::CLIENT)
    }

    #[inline]
    pub(crate) fn is_client(self) -> bool {
        self.0 & Current::CLIENT != 0
    }
}
