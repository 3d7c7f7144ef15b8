//! Whether a registry holds the collector of a certain Vitals, which only encoding it can tell.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use tower_vitals_core::Vitals;

thread_local! {
    /// What the innermost probe of this thread looks for.
    static SOUGHT: RefCell<Option<Sought>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Sought {
    vitals: Vitals,
    met: Rc<Cell<bool>>,
}

/// Looks for a Vitals in everything that this thread encodes, until it is dropped.
#[derive(Debug)]
pub(super) struct Probe {
    outer: Option<Sought>,
    met: Rc<Cell<bool>>,
}

impl Probe {
    pub(super) fn begin(vitals: &Vitals) -> Self {
        let met = Rc::new(Cell::new(false));
        let sought = Sought {
            vitals: vitals.clone(),
            met: Rc::clone(&met),
        };
        Self {
            outer: SOUGHT.replace(Some(sought)),
            met,
        }
    }

    /// Whether the collector of the Vitals was encoded since.
    pub(super) fn met(&self) -> bool {
        self.met.get()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        SOUGHT.set(self.outer.take());
    }
}

/// Says that the collector of a Vitals is asked to encode; whether a probe looks for it, and it had better not.
pub(super) fn meets(vitals: &Vitals) -> bool {
    SOUGHT.with_borrow(|sought| {
        let sought = sought.as_ref().filter(|sought| sought.vitals.same_as(vitals));
        sought.is_some_and(|sought| {
            sought.met.set(true);
            true
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_probe_looks_and_the_outer_one_goes_on() {
        let (one, other) = (Vitals::new(), Vitals::new());
        assert!(!meets(&one));
        let outer = Probe::begin(&one);
        {
            let inner = Probe::begin(&other);
            assert!(!meets(&one) && !inner.met());
            assert!(meets(&other.clone()) && inner.met());
        }
        assert!(!outer.met());
        assert!(meets(&one) && outer.met());
        drop(outer);
        assert!(!meets(&one));
    }
}
