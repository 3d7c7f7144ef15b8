use std::{borrow::Cow, fmt, sync::Arc};

use super::{Ref, family::Inner};
use crate::{Descriptor, instrument::Instrument};

/// A [`Family`](crate::Family) whose number of labels is known only when the program runs: for layers to which an application adds
/// labels of its own.
///
/// # Clone
/// Clones are cheap and share the series.
pub struct DynamicFamily<I: Instrument> {
    inner: Arc<Inner<I>>,
}

impl<I: Instrument> DynamicFamily<I> {
    pub(super) fn new(inner: Arc<Inner<I>>) -> Self {
        Self { inner }
    }

    /// As [`Family::with`](crate::Family::with). There must be as many values as the family has labels: missing ones are taken for
    /// empty, and further ones are left out.
    #[must_use = "the series is given, but nothing is recorded yet"]
    pub fn with(&self, values: &[&str]) -> Ref<I> {
        self.inner.with(&self.fit(values))
    }

    /// As [`Family::get`](crate::Family::get).
    #[must_use]
    pub fn get(&self, values: &[&str]) -> Option<Ref<I>> {
        self.inner.get(&self.fit(values))
    }

    /// As [`Family::remove`](crate::Family::remove).
    #[allow(clippy::must_use_candidate)] // whether it was there often does not matter
    pub fn remove(&self, values: &[&str]) -> bool {
        self.inner.remove(&self.fit(values))
    }

    /// As [`Family::admits`](crate::Family::admits).
    #[must_use]
    pub fn admits(&self, label: usize, value: &str) -> bool {
        self.inner.admits(label, value)
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.table.len()
    }

    /// Whether there are no series yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name, help, type and labels.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.inner.descriptor
    }

    /// As many values as there are labels.
    fn fit<'a, 'v>(&self, values: &'a [&'v str]) -> Cow<'a, [&'v str]> {
        let labels = self.inner.values.len();
        debug_assert_eq!(values.len(), labels, "{}", self.inner.descriptor);
        if values.len() == labels {
            return Cow::Borrowed(values);
        }
        let mut fitting = values.to_vec();
        fitting.resize(labels, "");
        Cow::Owned(fitting)
    }
}

impl<I: Instrument> Clone for DynamicFamily<I> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<I: Instrument> fmt::Debug for DynamicFamily<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicFamily")
            .field("descriptor", &self.inner.descriptor)
            .field("series", &self.len())
            .finish_non_exhaustive()
    }
}
