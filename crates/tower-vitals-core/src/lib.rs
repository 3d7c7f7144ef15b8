#![doc = include_str!("../README.md")]

mod attachment;
mod budget;
mod builder;
mod clock;
mod closed;
mod computed;
mod descriptor;
pub mod encode;
mod error;
mod family;
mod id;
#[doc(hidden)]
pub mod idle;
mod instrument;
mod labels;
#[cfg(all(test, loom))]
mod models;
mod name;
mod registry;
mod reserved;
mod scrape;
mod self_metrics;
#[doc(hidden)]
pub mod sharded;
pub mod spread;
mod sync;
pub mod table;
mod vitals;

pub use self::{
    attachment::{Attachment, AttachmentError, LeftOut},
    builder::VitalsBuilder,
    clock::{Clock, ManualClock},
    closed::ClosedLabel,
    computed::{Computed, HistogramSamples, Samples},
    descriptor::{Descriptor, Kind, Label, LabelValues, Unit},
    error::RegisterError,
    family::{
        CounterFamily, Family, FamilyBuilder, FloatCounterFamily, FloatGaugeFamily, GaugeFamily, Handle, HistogramFamily,
        InFlightFamily, Ref,
    },
    id::{HashedId, IdHasher, SecretError},
    instrument::{Bounds, Counter, FloatCounter, FloatGauge, Gauge, Histogram, InFlight, InFlightGuard, Instrument, Single},
    labels::{LONGEST_VALUE, Labels, OTHER, label_value},
    vitals::Vitals,
};
#[doc(hidden)]
pub use self::{family::DynamicFamily, instrument::HistogramConfig};
