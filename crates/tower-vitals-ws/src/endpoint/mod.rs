//! Where connections belong.

mod common;
#[allow(clippy::module_inception)]
mod endpoint;
mod row;

pub use self::endpoint::Endpoint;
pub(crate) use self::{
    common::Common,
    row::{Row, VERSIONS},
};
