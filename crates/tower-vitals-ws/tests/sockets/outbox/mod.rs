//! Sockets with an outbox.

mod bombs;
mod ends;
mod halves;
mod identity;
mod orders;
mod policies;
mod policies_identity;
mod pump;
mod stuck;
mod times;
mod waiting;
