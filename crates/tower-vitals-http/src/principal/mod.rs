//! Who makes a request.

mod fingerprint;
mod ids;
mod known;
#[allow(clippy::module_inception)]
mod principal;
mod recent;
mod who;

pub(crate) use self::{
    ids::Ids,
    known::{KnownId, Sort},
    who::{Part, Who},
};
pub use self::{ids::PrincipalIds, principal::Principal};
