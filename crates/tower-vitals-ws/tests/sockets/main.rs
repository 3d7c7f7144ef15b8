//! What a scrape says of WebSockets over TCP, for each library.
#![allow(clippy::unwrap_used)] // also in what is not a test itself

#[macro_use]
mod library;

mod counts;
mod wire;

mod causes;
mod drained;
mod drops;
mod echo;
mod failures;
mod halves;
mod identity;
mod kicked;
mod life;
mod load;
mod outbox;
mod stuck;
mod transparency;
