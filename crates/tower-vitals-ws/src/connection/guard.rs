use std::{fmt, sync::Arc, thread};

use http::Version;

use super::{Ending, Record};
use crate::{
    DropReason, Failure,
    endpoint::{Endpoint, Id},
};

/// A connection of an endpoint, as long as it is open. Dropped, it accounts for what is left and for the end, once.
pub(crate) struct Guard {
    endpoint: Endpoint,
    id: Id,
    record: Arc<Record>,
    pub(crate) ending: Ending,
    /// Whether nothing can be sent any more.
    is_broken: bool,
    /// Whether the thread unwound already when it began, so that a panic is not its own.
    was_panicking: bool,
}

impl Guard {
    pub(crate) fn new(endpoint: &Endpoint, version: Version) -> Self {
        let record = Arc::new(Record::new(version, endpoint.now()));
        Self {
            endpoint: endpoint.clone(),
            id: endpoint.open(&record),
            record,
            ending: Ending::default(),
            is_broken: false,
            was_panicking: thread::panicking(),
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Whether nothing can be sent any more.
    #[inline]
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Everything has left, closing messages included.
    #[inline]
    pub(crate) fn see_flushed(&mut self) {
        self.ending.see_flushed();
        self.record.sent.flush();
    }

    /// Writing failed. What is buffered is lost where nothing can leave any more.
    pub(crate) fn see_failed_write(&mut self, failure: Failure) {
        match failure {
            Failure::Finished => self.see_flushed(),
            Failure::Reset => {
                self.is_broken = true;
                self.record.sent.drop_buffered(DropReason::IoError);
            }
            _ => {}
        }
        self.ending.see_failed_write(failure);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // First in the record: who scrapes may have it in hand already.
        self.record.sent.drop_buffered(DropReason::ConnectionDropped);
        let is_panic = thread::panicking() && !self.was_panicking;
        self.endpoint.close(self.id, &self.record, self.ending.end(is_panic));
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("endpoint", &self.endpoint.name())
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}
