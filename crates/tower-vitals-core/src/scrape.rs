//! A walk through all families, in pieces.

use std::{sync::Arc, time::Instant};

use crate::{Vitals, encode::Visitor, family::AnyFamily};

/// What a scrape keeps from its beginning to its end.
pub(crate) struct Scrape {
    pub(crate) began: Instant,
    /// By name. Computed ones have the rows that there were when the scrape began.
    pub(crate) families: Vec<Arc<dyn AnyFamily>>,
}

/// A scrape, and how far it came.
pub(crate) struct Walk {
    scrape: Scrape,
    /// The family that is next, and where in it the walk goes on, if it has begun to be shown.
    next: usize,
    slot: Option<usize>,
}

impl Walk {
    pub(crate) fn begin(vitals: &Vitals) -> Self {
        Self {
            scrape: Scrape {
                began: vitals.clock().now(),
                families: vitals.registry().families_of_scrape(),
            },
            next: 0,
            slot: None,
        }
    }

    /// Shows families that have series, and their series, until the visitor is full. Whether all are shown.
    pub(crate) fn go_on(&mut self, visitor: &mut dyn Visitor) -> bool {
        while let Some(family) = self.scrape.families.get(self.next) {
            if self.slot.is_none() && !Self::introduce(&**family, visitor) {
                self.next += 1;
                continue;
            }
            self.slot = family.visit(self.slot.unwrap_or(0), &self.scrape, visitor);
            if self.slot.is_none() {
                self.next += 1;
            }
            if visitor.is_full() {
                return false;
            }
        }
        true
    }

    /// Begins a family, but not one without series.
    fn introduce(family: &dyn AnyFamily, visitor: &mut dyn Visitor) -> bool {
        family.expire();
        let any = family.len() > 0;
        if any {
            visitor.family(family.descriptor());
        }
        any
    }
}
