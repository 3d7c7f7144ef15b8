//! The part `requests`: what a layer adds to each request of an axum application.

pub(crate) mod counts;

mod entries;
mod known;
mod method;
mod outside;
mod report;
mod throughput;

pub(crate) use self::{counts::on_heap, report::run};
use crate::Result;

/// Does what the measurements start this program for.
pub(crate) fn child(arguments: &[&str]) -> Result<()> {
    match arguments {
        // Under callgrind: serves requests and does nothing else.
        ["repeat", entry, count] => {
            entries::find(entry)?.serve()(count.parse()?);
            Ok(())
        }
        ["serve", entry] => throughput::serve(entry),
        _ => Err(format!("nothing to do for {arguments:?}").into()),
    }
}
