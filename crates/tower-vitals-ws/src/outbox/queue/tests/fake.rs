use crate::{CloseCode, MessageKind, WsMessage};

/// A message that is told from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::outbox) struct Fake {
    pub(super) kind: MessageKind,
    pub(super) bytes: usize,
    pub(super) id: u64,
}

pub(in crate::outbox) fn text(id: u64, bytes: usize) -> Fake {
    Fake {
        kind: MessageKind::Text,
        bytes,
        id,
    }
}

pub(super) fn of(kind: MessageKind, id: u64) -> Fake {
    Fake { kind, bytes: 2, id }
}

impl WsMessage for Fake {
    fn kind(&self) -> MessageKind {
        self.kind
    }

    fn payload_len(&self) -> usize {
        self.bytes
    }

    fn close_code(&self) -> Option<u16> {
        None
    }

    fn payload(&self) -> &[u8] {
        &[]
    }

    fn ping(_: &[u8]) -> Self {
        of(MessageKind::Ping, 0)
    }

    fn close(_: CloseCode, _: &str) -> Self {
        of(MessageKind::Close, 0)
    }
}
