//! Both directions of the bridge to the crate [`prometheus_client`].
//!
//! # A Vitals in an application's own registry
//! [`collector()`] gives a [`Collector`](prometheus_client::collector::Collector): what the application scrapes then has all families
//! of the [`Vitals`](tower_vitals_core::Vitals) too, in each format that prometheus-client is built with.
//!
//! ```
//! use prometheus_client::registry::Registry;
//! use tower_vitals_core::Vitals;
//! use tower_vitals_exposition::prometheus;
//!
//! let vitals = Vitals::new();
//! let mut registry = Registry::default();
//! registry.register_collector(Box::new(prometheus::collector(&vitals)));
//! ```
//!
//! The samples are those of our own OpenMetrics text. The differences:
//! - Exemplars of histograms do not pass, because prometheus-client has no public constructor for its `Exemplar`; those of counters do.
//! - Start timestamps and native buckets do not pass.
//! - The bounds of buckets are spelled as prometheus-client spells them: `le="1000000.0"` where our own writers have `le="1e+06"`. Version
//!   3 of Prometheus makes that one series, version 2 makes two of it: scrape one of the two ways.
//! - Help is escaped for text. In protobuf, which escapes nothing, the backslashes of quotes, backslashes and line ends stay.
//! - Prefix and labels of the registry come before ours. prometheus-client does not check that names and labels differ from those of its
//!   other metrics; keep labels of ours, such as `method`, out of a registry that holds the collector.
//!
//! # An application's own registry behind our route
//! [`attach()`] makes the metrics of a [`Registry`](prometheus_client::registry::Registry) come out after our own, in both text
//! protocols:
//!
//! ```
//! use prometheus_client::{metrics::gauge::Gauge, registry::Registry};
//! use tower_vitals_core::{Vitals, encode::Protocol};
//! use tower_vitals_exposition::prometheus;
//!
//! let mut registry = Registry::default();
//! let depth: Gauge = Gauge::default();
//! registry.register("queue_depth", "Jobs that wait", depth.clone());
//!
//! let vitals = Vitals::new();
//! prometheus::attach(&vitals, registry)?;
//! depth.set(3);
//! assert!(vitals.encode_to_string(Protocol::OPEN_METRICS).contains("\nqueue_depth 3\n"));
//! # Ok::<(), prometheus::AttachError>(())
//! ```
//!
//! - prometheus-client writes OpenMetrics and checks little. What it writes is taken apart and written anew: help on one line, `+Inf` for
//!   `inf`, each family in one piece though sub-registries share it (the first help counts), no series twice, no NUL.
//! - Text 0.0.4 calls counters `x_total`, infos `x_info`, and what is unknown untyped. It has no units and **no exemplars: they are dropped
//!   there**.
//! - A family that Prometheus would refuse together with the whole scrape (such as for a metric or label name that it does not take, or
//!   a label that is there twice) is left out. So is a family whose name somebody else has: our own families come first, then the
//!   registries in the order in which they were attached, and in a registry the family that came out first. `vitals_attachment_errors_total`
//!   counts both under the causes `invalid` and `duplicate`, per scrape.
//! - [`attach()`] finds the conflicts that can be seen at that time, and later registrations in the Vitals find theirs: both are errors.
//!   prometheus-client does not tell the names of families that are still empty; those can only meet ours in a scrape. Families that the
//!   layers of this house register after [`attach()`] win in the same way, because those layers cannot fail.
//!
//! # Order
//! Our own families come first, by name; then each attached registry, its families in the order of their first sample: metrics,
//! collectors, sub-registries. A registry that holds a [`collector()`] of the same Vitals cannot be attached to it.
//!
//! # Cost
//! [`collector()`] copies one family at a time, because prometheus-client wants all of it in one call. An attached registry is encoded at
//! once, into one text, while the scrape waits; prometheus-client holds the lock of each of its families while it encodes that. A second
//! text of the same size is what comes out of it. No lock of ours is held meanwhile, so collectors may use the Vitals.
//!
//! # Errors
//! [`AttachError`] says why a registry cannot be attached. Where encoding fails during a scrape, or a metric or collector of the
//! application panics, that registry is left out of that scrape, which goes on; the causes are `unreadable` and `panicked`.
//!
//! # Panics
//! None.

mod attach;
mod collector;
mod error;
mod families;
mod family;
mod family_encoder;
mod kind;
mod names;
mod probe;
mod sample;

pub use self::{
    attach::attach,
    collector::{VitalsCollector, collector},
    error::AttachError,
};
