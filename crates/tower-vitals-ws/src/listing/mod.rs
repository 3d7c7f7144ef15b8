//! Open connections, one by one, for operators.

mod connection;
mod sort;

pub use self::{connection::Connection, sort::SortBy};
