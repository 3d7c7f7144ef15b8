//! What records: counters, gauges and histograms.
//!
//! An instrument lives in a series of a [`Family`](crate::Family). Recording takes no lock and allocates nothing (but once, when a
//! second thread first records into the same series).

mod bounds;
mod counter;
mod gauge;
mod histogram;
mod in_flight;

use std::{fmt::Debug, time::SystemTime};

pub use self::{
    bounds::Bounds,
    counter::{Counter, FloatCounter},
    gauge::{FloatGauge, Gauge},
    histogram::{Histogram, HistogramConfig},
    in_flight::{InFlight, InFlightGuard},
};
use crate::{Kind, Unit, encode::Point};

/// A type of instrument that a family can have. The crate's own instruments are all there are.
pub trait Instrument: sealed::Sealed + Debug + Sized + Send + Sync + 'static {
    /// What all series of a family share.
    #[doc(hidden)]
    type Config: Clone + Debug + Default + PartialEq + Send + Sync;

    /// The type that Prometheus is told.
    const KIND: Kind;

    /// The instrument's name in error messages.
    #[doc(hidden)]
    const NAME: &'static str;

    /// Fits what all series share to the family's unit.
    #[doc(hidden)]
    fn configure(_config: &mut Self::Config, _unit: Option<Unit>) {}

    #[doc(hidden)]
    fn new(config: &Self::Config) -> Self;

    /// Whether nothing is going on that must be seen to end.
    #[doc(hidden)]
    fn is_idle(&self) -> bool {
        true
    }

    /// Shows the present value. `scratch` is lent so that a scrape allocates nothing for each series.
    #[doc(hidden)]
    fn point(&self, config: &Self::Config, start: SystemTime, scratch: &mut Vec<u64>, show: &mut dyn FnMut(&Point<'_>));
}

/// An instrument whose series have one value each, so that a family of it may be [computed](crate::FamilyBuilder::computed).
pub trait Single: Instrument {}

impl Single for Counter {}
impl Single for FloatCounter {}
impl Single for Gauge {}
impl Single for FloatGauge {}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Counter {}
    impl Sealed for super::FloatCounter {}
    impl Sealed for super::Gauge {}
    impl Sealed for super::FloatGauge {}
    impl Sealed for super::InFlight {}
    impl Sealed for super::Histogram {}
}
