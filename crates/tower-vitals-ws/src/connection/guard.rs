use std::{fmt, sync::Arc, thread};

use http::Version;

use super::{ConnectionId, Ended, Ending, FlushTimer, Record};
use crate::{CloseCause, DropReason, Failure, capacity::Permit, endpoint::Endpoint, ledger::Amount};

/// A connection of an endpoint, as long as it is open. Dropped, it accounts for what is left and for the end, once.
pub(crate) struct Guard {
    endpoint: Endpoint,
    id: ConnectionId,
    record: Arc<Record>,
    pub(crate) ending: Ending,
    /// Whether nothing can be sent any more.
    is_broken: bool,
    flushes: FlushTimer,
    /// Whether the thread unwound already when it began, so that a panic is not its own.
    was_panicking: bool,
    /// What was attempted and waits to be accepted.
    pub(crate) waiting: Amount,
    /// Its place among those that there may be, where that is limited.
    permit: Option<Permit>,
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
            flushes: FlushTimer::default(),
            was_panicking: thread::panicking(),
            waiting: Amount::default(),
            permit: None,
        }
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Has it keep this place until its end.
    pub(crate) fn keep(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// Whether nothing can be sent any more.
    #[inline]
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether a message was accepted since all that was before had left: then there is nothing to note of one more.
    #[inline]
    pub(crate) fn is_sending(&self) -> bool {
        self.flushes.is_open()
    }

    /// A message was accepted.
    #[inline]
    pub(crate) fn see_accepted(&mut self) {
        if self.flushes.begins() {
            self.flushes.begin(self.endpoint.now());
        }
    }

    /// Everything has left, closing messages included.
    #[inline]
    pub(crate) fn see_flushed(&mut self) {
        self.ending.see_flushed();
        self.record.sent.flush(self.waiting);
        if let Some(began) = self.flushes.end() {
            self.endpoint.observe_flush(began);
        }
    }

    /// A ping of ours was answered.
    pub(crate) fn see_rtt(&self, nanos: u64) {
        self.record.signs.see_rtt(nanos);
        self.endpoint.observe_rtt(nanos);
    }

    /// Writing failed. What is buffered is lost where nothing can leave any more.
    pub(crate) fn see_failed_write(&mut self, failure: Failure) {
        match failure {
            Failure::Finished => self.see_flushed(),
            Failure::Reset => {
                self.is_broken = true;
                self.record.sent.drop_buffered(DropReason::IoError, self.waiting);
                let _ = self.flushes.end();
            }
            _ => {}
        }
        self.ending.see_failed_write(failure);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let is_panic = thread::panicking() && !self.was_panicking;
        let ended = self.ending.end(is_panic);
        let (buffered, queued) = match ended.cause {
            CloseCause::SlowConsumer => (DropReason::SlowConsumer, DropReason::SlowConsumer),
            _ if self.is_broken => (DropReason::ConnectionDropped, DropReason::IoError),
            _ => (DropReason::ConnectionDropped, DropReason::ConnectionDropped),
        };
        // First in the record: who scrapes may have it in hand already.
        self.record.sent.drop_buffered(buffered, Amount::default());
        // It ends also when a message panics as it is dropped.
        let _ends = Ends(self, ended);
        self.record.settle(queued);
    }
}

/// Dropped, it has the connection counted as one that ended.
struct Ends<'a>(&'a Guard, Ended);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        let Self(
            Guard {
                endpoint, id, record, ..
            },
            ended,
        ) = self;
        endpoint.close(*id, record, &record.messages(), *ended);
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
