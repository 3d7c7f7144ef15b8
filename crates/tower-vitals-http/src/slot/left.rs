//! What was left for a request since its scope began, but for its principal.

use std::{borrow::Cow, sync::Arc};

use crate::request_body::Received;

/// What code further in left for a request, but for its principal.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) route: Option<Cow<'static, str>>,
    pub(crate) labels: Vec<(&'static str, Cow<'static, str>)>,
    /// Sees the request's body.
    pub(crate) received: Option<Arc<Received>>,
}

// === impl Left ===

impl Left {
    pub(crate) fn set_label(&mut self, name: &'static str, value: Cow<'static, str>) {
        set_label(&mut self.labels, name, value);
    }

    /// Takes over what was left for a request further in.
    pub(crate) fn take_over(&mut self, inner: &mut Self) {
        self.route = inner.route.take().or(self.route.take());
        for (name, value) in inner.labels.drain(..) {
            self.set_label(name, value);
        }
        self.received = self.received.take().or(inner.received.take());
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.route = None;
        self.labels.clear();
        self.received = None;
    }
}

/// Gives a label a value in place of the one that it had.
pub(crate) fn set_label(labels: &mut Vec<(&'static str, Cow<'static, str>)>, name: &'static str, value: Cow<'static, str>) {
    labels.retain(|(known, _)| *known != name);
    labels.push((name, value));
}
