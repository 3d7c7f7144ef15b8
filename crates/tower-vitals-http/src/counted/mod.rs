//! A request from its start to its end.
//!
//! What every request passes through is `inline(always)`, here and where it leads: left to the compiler, whether that is inlined hangs on
//! how many services an application has.

mod begin;
mod extra;
mod finish;
mod head;
mod take_home;

use std::sync::Arc;

use tower_vitals_core::spread::Lent;

pub(crate) use self::extra::Extra;
use crate::{
    Outcome,
    endpoint::{Endpoint, Matched},
    kind::Kind,
    method::KnownMethod,
    principal::KnownId,
    slot::{Owner, Scope},
};

/// A request that is being counted: in flight until it has ended and is recorded.
///
/// It moves from the call into the future and on into the body, so it is small: a cache line. Whoever drops it unfinished ends the
/// request as `on_drop` says.
#[derive(Debug)]
pub(crate) struct Counted {
    endpoint: Lent<Endpoint>,
    /// By the clock's [`nanos`](tower_vitals_core::Clock::nanos).
    started: u64,
    /// Bytes to come, if the head promised a number; if not, what is left of `UNKNOWN`.
    bytes: u64,
    /// The ID of the user or, where there is none, of the API key. A principal with both has the second one among the rest.
    id: Option<Arc<KnownId>>,
    /// What few requests have. Nobody shares it: an `Arc` is there because dropping none takes two instructions, and none of a `Box` a
    /// call.
    extra: Option<Arc<Extra>>,
    route: Matched,
    /// The labels that are known so far.
    kind: Kind,
    method: KnownMethod,
    /// Its number among what is in flight.
    in_flight: u8,
    timed: bool,
    /// Whether there is anything to do that there is not for an ordinary request: one look instead of several.
    special: u8,
    /// Whether nobody has asked for the body yet, where that matters.
    unread: bool,
    /// Whether the route that is known is enough for a layer further in not to tell its own.
    pub(crate) has_route: bool,
    /// The outcome if nothing better comes; none when the request has ended. It says `panicked` while the service's code runs: only
    /// unwinding leaves that standing.
    pub(crate) on_drop: Option<Outcome>,
}

/// More bytes than can come: even half of them take centuries.
const UNKNOWN: u64 = u64::MAX;

impl Counted {
    /// There are options, or something else that few have.
    const SPECIAL: u8 = 1;
    /// Somebody said who makes the request; there may be an ID to count at its end.
    const HAS_PRINCIPAL: u8 = 2;

    /// Makes this request the current one until the scope is dropped, on unwinding too.
    #[inline]
    pub(crate) fn enter(&mut self) -> Scope<'_> {
        Scope::enter(self)
    }

    #[inline]
    pub(crate) fn owner(&self) -> Owner {
        self.endpoint.owner_to(self.route)
    }

    /// Takes note of so many bytes of the body, and says whether those were all.
    #[inline]
    pub(crate) fn is_complete_after(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_sub(bytes as u64);
        self.bytes == 0
    }

    /// What the end of the body means: a body that gave less than its head promised did not complete.
    #[inline]
    pub(crate) fn ended(&self) -> Outcome {
        let short = self.bytes != 0 && self.bytes < UNKNOWN / 2;
        if short { Outcome::Failed } else { Outcome::Completed }
    }

    /// The route that code further in gave.
    #[cfg(test)]
    pub(crate) fn tag(&self) -> Option<&str> {
        self.extra.as_ref()?.tag.as_deref()
    }

    /// Whether something sees the request's body.
    #[cfg(test)]
    pub(crate) fn sees_body(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.received.is_some())
    }

    /// The user's hash and the number of the auth type.
    #[cfg(test)]
    pub(crate) fn principal(&self) -> (Option<&str>, usize) {
        (self.user().map(|user| user.text()), self.kind.auth_type())
    }

    fn extra(&mut self) -> &mut Extra {
        self.special |= Self::SPECIAL;
        match Arc::get_mut(self.extra.get_or_insert_default()) {
            Some(extra) => extra,
            None => unreachable!("it is not cloned"),
        }
    }

    fn has_extra(&mut self) -> Option<&mut Extra> {
        self.extra.as_mut().and_then(Arc::get_mut)
    }
}

impl Drop for Counted {
    #[inline]
    fn drop(&mut self) {
        if let Some(outcome) = self.on_drop {
            self.finish_early(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Records;

    #[test]
    fn it_fits_a_cache_line_and_its_owner_leaves_room_for_flags() {
        assert!(size_of::<Option<Counted>>() <= 56);
        assert!(align_of::<Records>() >= 16 && align_of::<crate::records::Route>() >= 16);
    }
}
