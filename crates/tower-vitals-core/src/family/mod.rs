//! Families: named instruments with labels.

mod aging;
mod builder;
mod dynamic;
mod erased;
#[allow(clippy::module_inception)]
mod family;
mod series;
mod values;

pub(crate) use self::{builder::Described, erased::AnyFamily, family::Inner, series::Series};
pub use self::{
    builder::FamilyBuilder,
    dynamic::DynamicFamily,
    family::Family,
    series::{Handle, Ref},
};

use crate::{Counter, FloatCounter, FloatGauge, Gauge, Histogram, InFlight};

/// Counters with `N` labels.
pub type CounterFamily<const N: usize> = Family<Counter, N>;
/// Float counters with `N` labels.
pub type FloatCounterFamily<const N: usize> = Family<FloatCounter, N>;
/// Gauges with `N` labels.
pub type GaugeFamily<const N: usize> = Family<Gauge, N>;
/// Float gauges with `N` labels.
pub type FloatGaugeFamily<const N: usize> = Family<FloatGauge, N>;
/// In-flight gauges with `N` labels.
pub type InFlightFamily<const N: usize> = Family<InFlight, N>;
/// Histograms with `N` labels.
pub type HistogramFamily<const N: usize> = Family<Histogram, N>;
