use crate::{DropReason, Failure, MessageKind, WsMessage};

/// What must be known of a message after it is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) kind: MessageKind,
    pub(super) bytes: usize,
    pub(super) code: Option<u16>,
}

impl Facts {
    #[inline]
    pub(super) fn of(message: &impl WsMessage) -> Self {
        let kind = message.kind();
        Self {
            kind,
            bytes: message.payload_len(),
            code: if kind == MessageKind::Close {
                message.close_code()
            } else {
                None
            },
        }
    }

    /// Why a message was not sent that an error kept from it.
    pub(super) fn dropped_by(self, failure: Failure) -> DropReason {
        match failure {
            Failure::Finished | Failure::Closed if self.kind == MessageKind::Close => DropReason::Closing,
            Failure::Finished | Failure::Closed => DropReason::Closed,
            Failure::Reset | Failure::Io => DropReason::IoError,
            Failure::TooLarge => DropReason::TooLarge,
            Failure::WriteBufferFull => DropReason::WriteBufferFull,
            Failure::Protocol | Failure::InvalidUtf8 | Failure::Other => DropReason::Refused,
        }
    }
}
