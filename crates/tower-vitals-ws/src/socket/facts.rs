use crate::{DropReason, Failure, MessageKind, WsMessage};

/// What must be known of a message after it is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) kind: MessageKind,
    pub(crate) bytes: usize,
    pub(crate) code: Option<u16>,
}

impl Facts {
    /// Those of a text or of bytes. Which of them does not matter any more.
    #[inline(always)]
    pub(super) fn of_data(bytes: usize) -> Self {
        Self {
            kind: MessageKind::Binary,
            bytes,
            code: None,
        }
    }

    #[inline]
    pub(crate) fn of(message: &impl WsMessage) -> Self {
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
}

impl DropReason {
    /// Why a message of that kind was not sent that a failure kept from it.
    pub(super) fn of(failure: Failure, kind: MessageKind) -> Self {
        match failure {
            Failure::Finished | Failure::Closed if kind == MessageKind::Close => Self::Closing,
            Failure::Finished | Failure::Closed => Self::Closed,
            Failure::Reset | Failure::Io => Self::IoError,
            Failure::TooLarge => Self::TooLarge,
            Failure::WriteBufferFull => Self::WriteBufferFull,
            Failure::Protocol | Failure::InvalidUtf8 | Failure::Other => Self::Refused,
        }
    }
}
