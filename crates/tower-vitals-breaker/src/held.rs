//! The permit of a call that is a future.

use crate::{Permit, Verdict};

/// The permit of a future, while it is polled and in between.
///
/// A permit alone takes any panic of its thread for one of its call. Here only what happens [while](Self::during) the call runs is.
#[derive(Debug, Default)]
pub(crate) struct Held {
    permit: Option<Permit>,
}

impl Held {
    pub(crate) fn new(permit: Permit) -> Self {
        Self { permit: Some(permit) }
    }

    pub(crate) fn take(&mut self) -> Option<Permit> {
        self.permit.take()
    }

    /// Runs a part of the call. If it panics, the call panicked.
    #[inline]
    pub(crate) fn during<R>(&mut self, run: impl FnOnce() -> R) -> R {
        let mut running = Running {
            held: self,
            is_over: false,
        };
        let result = run();
        running.is_over = true;
        result
    }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.cancel();
        }
    }
}

struct Running<'a> {
    held: &'a mut Held,
    is_over: bool,
}

impl Drop for Running<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.is_over {
            if let Some(permit) = self.held.permit.take() {
                permit.record(Verdict::PANICKED);
            }
        }
    }
}
