use std::fmt;

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};
use tower_vitals_core::Vitals;

use super::{family_encoder::FamilyEncoder, probe};

/// Shows a Vitals in an application's own registry: what [`collector`] gives.
#[derive(Clone, Debug)]
pub struct VitalsCollector {
    vitals: Vitals,
}

/// A collector for [`Registry::register_collector`](prometheus_client::registry::Registry::register_collector) that gives all families
/// of a Vitals. Those of registries that are attached to it are not among them.
///
/// # Example
/// ```
/// use prometheus_client::{encoding::text, registry::Registry};
/// use tower_vitals_core::Vitals;
/// use tower_vitals_exposition::prometheus;
///
/// let vitals = Vitals::new();
/// let mut registry = Registry::default();
/// registry.register_collector(Box::new(prometheus::collector(&vitals)));
///
/// vitals.counter("jobs_total", "Jobs run").register()?.inc();
/// let mut scrape = String::new();
/// text::encode(&mut scrape, &registry)?;
/// assert!(scrape.contains("# TYPE jobs counter\njobs_total 1\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn collector(vitals: &Vitals) -> VitalsCollector {
    VitalsCollector { vitals: vitals.clone() }
}

impl Collector for VitalsCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if probe::meets(&self.vitals) {
            return Ok(());
        }
        let mut families = FamilyEncoder::new(encoder);
        self.vitals.visit(&mut families);
        families.finish()
    }
}
