use super::{CloseCause, CodeClass, Ended, Initiator};
use crate::Failure;

/// What was seen of the end of a connection so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ending {
    /// The closing message that was sent or came first.
    closed: Option<Ended>,
    /// Why this side closes it, where that was not the application.
    act: Option<CloseCause>,
    /// What failed, and says most.
    failed: Option<Ended>,
    /// Whether a closing message of ours, or the reply to one, is not known to have left.
    is_pending: bool,
    /// Whether reading failed or came to its end.
    is_over: bool,
    /// Whether reading failed in any way. The library writes its reply to a closing message while it reads.
    has_failed_read: bool,
}

impl Ending {
    /// A closing message of ours was accepted. It closes nothing if there is nothing left to close.
    pub(crate) fn see_own_close(&mut self, code: Option<u16>) {
        if self.closed.is_none() && !self.is_over {
            self.is_pending = true;
            self.closed = Some(Ended::by_frame(Initiator::Local, code));
        }
    }

    /// This side begins to close it for a reason of its own, unless it is closed, closing or over already.
    pub(crate) fn see_act(&mut self, cause: CloseCause) -> bool {
        let begins = self.is_open();
        if begins {
            self.act = Some(cause);
        }
        begins
    }

    /// Whether nothing has ended or closes it yet.
    pub(crate) fn is_open(&self) -> bool {
        self.act.is_none() && self.closed.is_none() && !self.is_over
    }

    /// A closing message came. It asks for a reply, unless it is one.
    pub(crate) fn see_their_close(&mut self, code: Option<u16>) {
        if self.closed.is_none() {
            self.is_pending = true;
            self.closed = Some(Ended::by_frame(Initiator::Remote, code));
        }
    }

    /// Everything has left, closing messages included.
    #[inline]
    pub(crate) fn see_flushed(&mut self) {
        self.is_pending = false;
    }

    /// Reading failed.
    pub(crate) fn see_failed_read(&mut self, failure: Failure) {
        self.has_failed_read = true;
        if let Some(ended) = end_of(failure) {
            self.is_over = true;
            self.see(ended);
        }
    }

    /// Writing failed. Only that of the connection below ends anything: what else there is, is about a message of ours.
    pub(crate) fn see_failed_write(&mut self, failure: Failure) {
        if let (Failure::Reset | Failure::Io, Some(ended)) = (failure, end_of(failure)) {
            self.see(ended);
        }
    }

    /// The task that has a part of the connection panics.
    pub(crate) fn see_panic(&mut self) {
        self.see(Ended::without_code(Initiator::Local, CloseCause::Panicked));
    }

    /// Nothing comes any more.
    pub(crate) fn see_end(&mut self) {
        match self.closed {
            // The library mostly gives the end once it has written the reply. It may do so while a closing message of ours waits.
            Some(closed) if closed.initiator == Initiator::Remote && !self.has_failed_read => self.is_pending = false,
            Some(_) => {}
            None => self.see(Ended::without_code(Initiator::Remote, CloseCause::Reset)),
        }
        self.is_over = true;
    }

    fn see(&mut self, ended: Ended) {
        self.failed = Some(Ended::or(self.failed, ended));
    }

    /// The whole end, once there is nothing more to see.
    pub(crate) fn end(mut self, is_panic: bool) -> Ended {
        if is_panic {
            self.see_panic();
        }
        if let Some(cause) = self.act {
            let has_left = |closed: &Ended| closed.initiator == Initiator::Local && !self.is_pending;
            return Ended {
                code: self.closed.filter(has_left).map_or(CodeClass::None, |closed| closed.code),
                ..Ended::without_code(Initiator::Local, cause)
            };
        }
        match (self.closed, self.failed) {
            // What never left closed nothing.
            (Some(closed), Some(failed)) if self.is_pending && closed.initiator == Initiator::Local => failed,
            (Some(closed), _) if self.is_pending => Ended {
                cause: CloseCause::CloseUnfinished,
                ..closed
            },
            (Some(ended), _) | (None, Some(ended)) => ended,
            (None, None) => Ended::without_code(Initiator::Local, CloseCause::Dropped),
        }
    }
}

/// What an error says about the end of its connection.
fn end_of(failure: Failure) -> Option<Ended> {
    let (initiator, cause) = match failure {
        Failure::Reset => (Initiator::Remote, CloseCause::Reset),
        Failure::Io => (Initiator::Unknown, CloseCause::IoError),
        Failure::Protocol => (Initiator::Remote, CloseCause::ProtocolError),
        Failure::InvalidUtf8 => (Initiator::Remote, CloseCause::InvalidUtf8),
        Failure::TooLarge => (Initiator::Remote, CloseCause::TooLarge),
        Failure::Finished | Failure::Closed | Failure::WriteBufferFull | Failure::Other => return None,
    };
    Some(Ended::without_code(initiator, cause))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use tower_vitals_core::ClosedLabel;

    use super::*;

    /// How a connection ends of which this was seen.
    fn after(see: impl FnOnce(&mut Ending)) -> String {
        let mut ending = Ending::default();
        see(&mut ending);
        let ended = ending.end(false);
        [ended.initiator.as_str(), ended.cause.as_str(), ended.code.as_str()].join(" ")
    }

    #[test]
    fn the_first_closing_message_says_how_it_ended() {
        assert_eq!(after(|_| {}), "local dropped none");
        let crossing = after(|ending| {
            ending.see_own_close(Some(1001));
            ending.see_their_close(Some(4000));
            ending.see_end();
        });
        assert_eq!(crossing, "local close_unfinished 1001", "nobody said that it has left");
        let answered = after(|ending| {
            ending.see_own_close(Some(1001));
            ending.see_flushed();
            ending.see_their_close(Some(4000));
        });
        assert_eq!(answered, "local close_frame 1001");
        let replied = after(|ending| {
            ending.see_their_close(Some(4000));
            ending.see_end();
            ending.see_failed_write(Failure::Reset);
        });
        assert_eq!(replied, "remote close_frame 4xxx");
        for failure in [Failure::Reset, Failure::Closed] {
            let lost = after(|ending| {
                ending.see_their_close(Some(1000));
                ending.see_failed_read(failure);
                ending.see_end();
            });
            assert_eq!(lost, "remote close_unfinished 1000", "{failure:?}");
        }
    }

    #[test]
    fn a_close_of_ours_does_not_hide_what_failed() {
        let late = after(|ending| {
            ending.see_failed_read(Failure::Protocol);
            ending.see_own_close(Some(1002));
            ending.see_flushed();
        });
        assert_eq!(late, "remote protocol_error none");
        let stuck = after(|ending| {
            ending.see_own_close(Some(1000));
            ending.see_failed_write(Failure::Reset);
        });
        assert_eq!(stuck, "remote reset none");
        let unread = after(|ending| {
            ending.see_failed_write(Failure::Reset);
            ending.see_their_close(Some(1001));
            ending.see_end();
        });
        assert_eq!(unread, "remote close_frame 1001");
    }

    #[test]
    fn why_this_side_closed_it_says_more_than_what_came_of_that() {
        let answered = after(|ending| {
            assert!(ending.see_act(CloseCause::Kicked));
            assert!(!ending.see_act(CloseCause::Shutdown), "it closes already");
            ending.see_own_close(Some(4001));
            ending.see_flushed();
            ending.see_their_close(Some(1000));
        });
        assert_eq!(answered, "local kicked 4xxx");
        let stuck = after(|ending| {
            assert!(ending.see_act(CloseCause::HeartbeatTimeout));
            ending.see_own_close(Some(1011));
            ending.see_failed_write(Failure::Reset);
        });
        assert_eq!(stuck, "local heartbeat_timeout none", "the code never left");
        let crossing = after(|ending| {
            assert!(ending.see_act(CloseCause::Shutdown));
            ending.see_their_close(Some(1001));
            ending.see_end();
        });
        assert_eq!(crossing, "local shutdown none");
        let late = after(|ending| {
            ending.see_their_close(Some(1001));
            assert!(!ending.see_act(CloseCause::Shutdown));
            ending.see_end();
        });
        assert_eq!(late, "remote close_frame 1001");
    }

    #[test]
    fn what_is_wrong_with_a_message_of_ours_ends_nothing() {
        for failure in [Failure::TooLarge, Failure::Protocol, Failure::WriteBufferFull, Failure::Other] {
            assert_eq!(after(|ending| ending.see_failed_write(failure)), "local dropped none");
        }
    }
}
