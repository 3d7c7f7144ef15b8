//! The time in which a request is the thread's current one.

use super::{
    Left, RawPrincipal,
    current::{CURRENT, Current, Outer, leave_for_current, pop_outer, push_outer, with_left, with_said},
};
use crate::counted::Counted;

/// Makes a request the thread's current one for as long as it lives, on unwinding too.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    counted: &'a mut Counted,
    outer: Current,
}

impl<'a> Scope<'a> {
    #[inline]
    pub(crate) fn enter(counted: &'a mut Counted) -> Self {
        let outer = CURRENT.replace(Current::of(counted.owner(), counted.has_route));
        if outer != Current::NOBODY {
            push_outer(outer);
        }
        Self { counted, outer }
    }

    /// Takes home what was left, and passes it on to the request around this one.
    #[inline(never)]
    fn hand_over(&mut self, current: Current) {
        if current.is(Current::WAS_SAID) {
            with_said(|said| {
                self.counted.take_principal(said);
                if self.outer == Current::NOBODY {
                    said.clear();
                }
            });
        }
        if current.is(Current::WAS_LEFT) {
            with_left(|left| {
                self.counted.take_home(left);
                if self.outer == Current::NOBODY {
                    left.clear();
                }
            });
        }
        if self.outer != Current::NOBODY {
            self.pass_on(current);
        }
    }

    #[cold]
    fn pass_on(&self, inner: Current) {
        let Some(outer) = pop_outer() else {
            return;
        };
        let Outer { mut current, left, said } = outer;
        let mut inner = inner;
        if current.is(Current::CLIENT) && !self.counted.owner().is_client() {
            // Whoever serves what is sent here says nothing about the request that is served around it.
            with_said(RawPrincipal::clear);
            with_left(Left::clear);
            inner.clear();
        }
        // What was left for the outer one, by its own code first.
        let mut said = said.unwrap_or_default();
        if inner.is(Current::WAS_SAID) {
            with_said(|inner| said.take_over(inner));
            current.set(Current::WAS_SAID);
        }
        if current.is(Current::WAS_SAID) {
            with_said(|place| *place = *said);
        }
        let mut left = left.unwrap_or_default();
        if inner.is(Current::WAS_LEFT) {
            with_left(|inner| {
                if self.counted.owner().is_client() && !current.is(Current::CLIENT) {
                    // The body that is sent is not the one that is served.
                    inner.received = None;
                }
                left.take_over(inner);
                inner.clear();
            });
            current.set(Current::WAS_LEFT);
        }
        CURRENT.set(current);
        if current.is(Current::WAS_LEFT) {
            leave_for_current(|place: &mut Left| *place = *left);
        }
    }
}

impl std::ops::Deref for Scope<'_> {
    type Target = Counted;

    fn deref(&self) -> &Counted {
        self.counted
    }
}

impl Drop for Scope<'_> {
    #[inline]
    fn drop(&mut self) {
        let current = CURRENT.replace(self.outer);
        if current.is(Current::WAS_LEFT | Current::WAS_SAID) || self.outer != Current::NOBODY {
            self.hand_over(current);
        }
    }
}
