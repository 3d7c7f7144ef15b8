//! Families that have no series of their own: their points are made of rows that are collected when a scrape begins.

mod collector;
#[allow(clippy::module_inception)]
mod computed;
mod histogram;
mod samples;
mod shown;

pub(crate) use self::collector::AnyCollector;
pub use self::{computed::Computed, histogram::HistogramSamples, samples::Samples};
