#![cfg_attr(not(feature = "axum08"), allow(dead_code, reason = "only the extractor claims places"))]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Places for connections, of an endpoint or of all.
#[derive(Debug, Default)]
pub(crate) struct Capacity {
    taken: AtomicU64,
}

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caps {
    pub(crate) endpoint: u64,
    pub(crate) total: u64,
}

/// A place for a connection, at its endpoint and among all, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    #[allow(dead_code, reason = "it is held")]
    places: [Place; 2],
}

#[derive(Debug)]
struct Place(Arc<Capacity>);

impl Permit {
    /// A place, unless all are taken.
    pub(crate) fn claim(endpoint: &Arc<Capacity>, total: &Arc<Capacity>, caps: Caps) -> Option<Self> {
        let places = [Place::claim(endpoint, caps.endpoint)?, Place::claim(total, caps.total)?];
        Some(Self { places })
    }
}

impl Place {
    fn claim(capacity: &Arc<Capacity>, most: u64) -> Option<Self> {
        let one_more = |taken: u64| (taken < most).then_some(taken + 1);
        let claimed = capacity.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        claimed.is_ok().then(|| Self(Arc::clone(capacity)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            endpoint: 50_000,
            total: 100_000,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let [one, other, total] = std::array::from_fn(|_| Arc::new(Capacity::default()));
        let caps = Caps { endpoint: 2, total: 3 };
        let mut held: Vec<_> = (0..5).filter_map(|_| Permit::claim(&one, &total, caps)).collect();
        assert_eq!(held.len(), 2);
        held.extend((0..5).filter_map(|_| Permit::claim(&other, &total, caps)));
        assert_eq!(held.len(), 3, "what the total refuses takes no place at the endpoint");
        assert_eq!(other.taken.load(Ordering::Relaxed), 1);
        held.clear();
        assert!(
            [&one, &other, &total]
                .iter()
                .all(|capacity| capacity.taken.load(Ordering::Relaxed) == 0)
        );
    }
}
